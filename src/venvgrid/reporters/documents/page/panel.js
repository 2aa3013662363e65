
// the grid: what its cells show, arrow keys, and the panel of the chosen cell

const bad = (cell) => (cell.counts[1] ? cell.counts[0] / cell.counts[1] : 0);
const took = (cell) => cell.durations.test || 0;
const longest = Math.max(...data.cells.map(took), 0.001);
const warm = (part) => (part <= 0 ? "" : "heat" + Math.min(4, Math.ceil(part * 4)));
const MODES = {
  outcome: [(cell) => signs.get(cell.id), () => ""],
  "failed tests": [(cell) => (cell.counts[1] ? String(cell.counts[0]) : signs.get(cell.id)), (cell) => warm(bad(cell))],
  "time of tests": [(cell) => (took(cell) ? (took(cell) < 10 ? took(cell).toFixed(1) : String(Math.round(took(cell)))) : signs.get(cell.id)),
    (cell) => warm(took(cell) / longest)],
};
const HINTS = { outcome: "A click on a cell shows its differences from the nearest green cell. Arrow keys move.",
  "failed tests": "The number of failed tests of each cell; the darker, the larger their share.",
  "time of tests": "Seconds of the tests of each cell; the darker, the longer." };

function showMode(mode) {
  const [label, heat] = MODES[mode];
  for (const link of document.querySelectorAll("[data-cell]")) {
    const cell = byId.get(link.dataset.cell);
    link.textContent = label(cell);
    link.setAttribute("aria-label", cell.id + ": " + cell.outcome + (mode === "outcome" ? "" : ", " + mode + " " + label(cell)));
    link.className = (mode === "outcome" ? cell.outcome : heat(cell) || "heat0") + (matches(cell) ? "" : " off");
  }
  for (const button of document.querySelectorAll(".modes button")) button.setAttribute("aria-pressed", String(button.textContent === mode));
  $("hint").textContent = HINTS[mode];
}

const byId = new Map(data.cells.map((cell) => [cell.id, cell]));
function addModes() {
  const modes = el("span", { class: "modes", role: "group", "aria-label": "What the grid shows" });
  for (const mode of Object.keys(MODES)) {
    const button = el("button", { type: "button" }, mode);
    button.addEventListener("click", () => showMode(mode));
    modes.append(button);
  }
  $("modes").append(modes);
  showMode("outcome");
}

function addKeys() {
  const table = document.querySelector(".grid");
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  table.addEventListener("keydown", (event) => {
    const link = event.target.closest("[data-cell]");
    if (!link || !moves[event.key]) return;
    event.preventDefault();
    const [down, right] = moves[event.key];
    let place = link.parentNode;
    do {
      const row = down ? place.parentNode.parentNode.rows[place.parentNode.sectionRowIndex + down] : place.parentNode;
      place = row && row.cells[place.cellIndex + right];
    } while (place && !place.querySelector("[data-cell]") && place.tagName === "TD");
    const next = place && place.querySelector("[data-cell]");
    if (next) next.focus();
  });
  table.addEventListener("click", (event) => {
    const link = event.target.closest("[data-cell]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", "#cell-" + link.dataset.cell);
    showPanel(byId.get(link.dataset.cell));
    $("panel").classList.add("asked");
    const close = $("panel").querySelector(".close");
    if (close.offsetParent) close.focus(); // on a phone the panel lies over the page
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && $("panel").classList.contains("asked")) $("panel").querySelector(".close").click();
  });
}

function difference(cell) {
  const [number, rows, equal] = cell.near;
  const body = el("tbody", {});
  for (const [name, here, there] of rows.slice(0, 12))
    body.append(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, here || "not installed"), el("td", {}, there || "not installed")));
  const more = rows.length > 12 ? count(rows.length - 12, "difference") + " more; " : "";
  const head = el("tr", {}, el("th", {}, ""), el("th", { scope: "col" }, signOf(cell), " this"), el("th", { scope: "col" }, signOf(data.cells[number]), " that"));
  return [el("p", {}, "nearest green cell: ", cellLink(data.cells[number])),
    el("div", { class: "wide" }, el("table", { class: "beside" }, el("thead", {}, head), body)),
    el("p", { class: "dim" }, more + count(equal, "package") + " equal")];
}

function showPanel(cell) {
  const panel = $("panel");
  const close = el("button", { type: "button", class: "close", "aria-label": "close" }, "✕");
  close.addEventListener("click", () => {
    panel.classList.remove("asked");
    const link = document.querySelector('[data-cell="' + CSS.escape(cell.id) + '"]');
    if (link) link.focus();
  });
  const times = Object.entries(cell.durations).map(([stage, value]) => stage + " " + seconds(value)).join(", ");
  const list = el("dl", {});
  for (const [name, value] of [["", cell.groups.length ? "" : cell.reason], ["tests", cell.tests], ["Python", cell.python.split(", ")[0]], ["took", times],
    ["attempts", cell.attempts > 1 ? String(cell.attempts) : ""], ["kept", cell.since && "unchanged since " + cell.since], ["before", cell.before]])
    if (value) list.append(el("dt", {}, name || cell.outcome), el("dd", {}, value));
  const failures = cell.groups.filter((number) => number < data.shown).slice(0, 5)
    .map((number) => el("li", {}, el("a", { href: "#failure-" + number }, data.groups[number])));
  panel.replaceChildren(close, el("h3", {}, signOf(cell), " ", cell.id), list,
    ...(failures.length ? [el("ul", {}, ...failures)] : []), ...(cell.near ? difference(cell) : []),
    el("p", { class: "buttons" }, copyButton("copy: run it again", () => cell.repeat),
      ...(cell.shell ? [copyButton("copy: open a shell", () => cell.shell)] : [])),
    el("p", {}, el("a", { href: "#cell-" + cell.id, class: "all" }, "packages and log")));
  panel.classList.remove("hidden");
  for (const link of document.querySelectorAll(".grid .chosen")) link.classList.remove("chosen");
  const link = document.querySelector('.grid [data-cell="' + CSS.escape(cell.id) + '"]');
  if (link) link.classList.add("chosen");
  panel.querySelector(".all").addEventListener("click", (event) => { event.preventDefault(); goTo("cell-" + cell.id); });
}
