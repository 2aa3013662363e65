
if (data.cells.length) {
  addFilters();
  addToggles();
  addModes();
  addKeys();
  addPictures();
  if (data.tests.length) addTests();
  if (data.cells.length > 1) addCompare();
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
