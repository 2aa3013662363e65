
// small pictures of the grid

const UNIT = 10;
const [COLUMNS, ROWS, STEP] = data.shape;
const squares = (cells, size) => cells.map((cell) => {
  const inset = (UNIT - 2 - size) / 2;
  return `M${cell.place[0] * UNIT + inset} ${cell.place[1] * UNIT + inset}h${size}v${size}h-${size}z`;
}).join("");

function picture(label, parts, step) {
  const made = svg("svg", { class: "mini", role: "img", "aria-label": label, width: COLUMNS * step, height: ROWS * step,
    viewBox: `-1 -1 ${COLUMNS * UNIT} ${ROWS * UNIT}` });
  for (const [style, cells] of Object.entries(parts))
    made.append(svg("path", { class: style, d: squares(cells, style === "dots" ? 2 : style === "half" ? 4 : 8) }));
  return made;
}

const byPlace = new Map(data.cells.map((cell) => [cell.place.join(), cell]));
function cellAt(event) {
  const box = event.target.closest(".mini").getBoundingClientRect();
  const at = [Math.floor(((event.clientX - box.left) / box.width) * COLUMNS), Math.floor(((event.clientY - box.top) / box.height) * ROWS)];
  return byPlace.get(at.join());
}

function addPictures() {
  // A picture tells which cell is under the pointer; a click opens it. Links beside it do the same for the keyboard.
  const tip = el("div", { class: "tip hidden", role: "presentation" });
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const cell = event.target.closest && event.target.closest(".mini") ? cellAt(event) : null;
    tip.classList.toggle("hidden", !cell);
    if (!cell) return;
    tip.textContent = cell.id + ": " + cell.outcome;
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
  });
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".mini") ? cellAt(event) : null;
    if (cell) location.hash = "cell-" + cell.id;
  });
}
