
// when each stage of each cell ran

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const percent = (value) => (100 * value) / data.duration + "%";

function addTimeline() {
  const lanes = new Map();
  const red = new Set(data.cells.filter((cell) => cell.groups.length).map((cell) => cell.number));
  for (const [number, stage, name, began, ended] of data.spans) {
    if (!lanes.has(name)) lanes.set(name, el("div", { class: "track" }));
    const cell = data.cells[number];
    const failed = stage === "test" && red.has(number);
    const title = cell.id + ", " + stage + ": " + seconds(ended - began) + " from " + seconds(began) + (failed ? ", " + cell.outcome : "");
    const label = stage === "test" ? (failed ? "✗ " : "") + cell.id : "";
    const bar = el("a", { class: stage + (failed ? " red" : ""), href: "#cell-" + cell.id, title, "aria-label": title }, label);
    bar.style.left = percent(began);
    bar.style.width = percent(ended - began);
    lanes.get(name).append(bar);
  }
  const resolves = (name) => (name.startsWith("resolver ") ? 0 : 1);
  const ordered = [...lanes.keys()].sort(
    (a, b) => resolves(a) - resolves(b) || a.localeCompare(b, undefined, { numeric: true }));
  for (const name of ordered) $("timeline").append(el("div", { class: "lane" }, el("span", {}, name), lanes.get(name)));
  $("timeline").append(el("div", { class: "lane scale" }, el("span", {}, ""), scale()));
  const stages = [["resolve", "resolve"], ["build", "build"], ["test", "tests"], ["test red", "✗ tests of a red cell"]];
  for (const [style, word] of stages) $("timeline-legend").append(el("span", {}, el("i", { class: "swatch " + style }), word));
}

function scale() {
  const step = TICKS.find((size) => data.duration / size <= 8) || data.duration;
  const track = el("div", { class: "track" });
  for (let at = 0; at <= data.duration; at += step) {
    const label = step < 1 ? at.toFixed(1) + " s" : at < 60 ? Math.round(at) + " s" : at < 3600
      ? Math.floor(at / 60) + " min" + (at % 60 ? " " + Math.round(at % 60) + " s" : "") : (at / 3600).toFixed(1) + " h";
    const tick = el("span", { class: at ? "" : "zero" }, label);
    tick.style.left = percent(at);
    track.append(tick);
  }
  return track;
}
