
// A part far down the page is drawn when it comes near, or when something jumps.
function whenNear(id, draw) {
  const place = $(id);
  if (!("IntersectionObserver" in window)) { draw(); return; }
  const watcher = new IntersectionObserver((found) => {
    if (found.some((item) => item.isIntersecting)) { watcher.disconnect(); draw(); }
  }, { rootMargin: "800px" });
  watcher.observe(place);
}

if (data.cells.length) {
  addFilters();
  addToggles();
  addModes();
  addKeys();
  addPictures();
  if (data.tests.length) addTests();
  addCompare();
  if (data.spans.length && data.duration) addTimeline();
  update();
  const first = data.cells.find((cell) => cell.groups.length) || data.cells.find((cell) => cell.outcome !== "passed") || data.cells[0];
  showPanel(first);
}
addCopyButtons();
for (const details of document.querySelectorAll(".cell")) details.addEventListener("toggle", () => details.open && fill(details));
window.addEventListener("hashchange", openCell);
openCell();
document.documentElement.dataset.ready = "1";
