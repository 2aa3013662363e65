
// one cell: facts, packages, log

function terminal(text) {
  const pre = el("pre", { tabindex: "0" });
  let styles = new Set();
  text.split(/\u001b\[([0-9;:]*)m/).forEach((piece, number) => {
    if (number % 2 === 0) {
      if (piece) pre.append(styles.size ? el("span", { class: [...styles].join(" ") }, piece) : piece);
      return;
    }
    const codes = (piece || "0").split(/[;:]/).map(Number);
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at];
      if (code === 38 || code === 48) at += codes[at + 1] === 5 ? 2 : 4; // 256 colours or more: ignored
      else if (code === 0) styles = new Set();
      else if (code === 22) { styles.delete("a1"); styles.delete("a2"); }
      else if (code === 23 || code === 24) styles.delete("a" + (code - 20));
      else if (code === 39) styles = new Set([...styles].filter((name) => name.length < 3));
      else if (code < 5) styles.add("a" + code);
      else if ((code > 29 && code < 38) || (code > 89 && code < 98))
        styles = new Set([...[...styles].filter((name) => name.length < 3), "a" + code]);
    }
  });
  return pre;
}

async function unpacked(value) {
  if (typeof value === "string") return value;
  const bytes = Uint8Array.from(atob(value.gzip), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function addLog(cell, place) {
  const log = $("log-" + cell.number);
  if (!log) return;
  const heading = el("h3", {}, "Log");
  place.append(heading);
  unpacked(JSON.parse(log.textContent)).then((text) => {
    const shown = terminal(text);
    heading.append(" ", copyButton("copy log", () => shown.textContent));
    place.append(shown);
  }, () => place.append(el("p", {}, "This browser cannot unpack the log: see " + cell.log)));
}

function facts(rows) {
  const body = el("tbody", {});
  for (const [name, value] of rows) if (value) body.append(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("div", { class: "wide" }, el("table", { class: "list" }, body));
}

function fill(details) {
  const cell = data.cells[Number(details.dataset.number)];
  const place = details.querySelector("div");
  if (place.childElementCount) return;
  const times = Object.entries(cell.durations).map(([stage, value]) => stage + " " + seconds(value)).join(", ");
  const left = el("div", {}, facts([
    ...data.axes.map((axis, number) => [axis, cell.axes[number]]),
    ["outcome", cell.outcome + (cell.since ? ", unchanged since " + cell.since : "")], ["reason", cell.reason],
    ["before", cell.before], ["tests", cell.tests], ["attempts", cell.attempts > 1 ? String(cell.attempts) : ""], ["times", times],
    ["interpreter", cell.python], ["tested on", cell.attested], ["notes", cell.notes.join("\n")], ["log file", cell.log],
    ["repeat with", cell.repeat],
  ]));
  const packages = Object.entries(cell.packages);
  const right = el("div", {}, el("h3", {}, "Installed packages (" + packages.length + ")"), facts(packages));
  place.append(el("div", { class: "columns" }, left, right));
  for (const number of cell.groups.slice(0, 20)) {
    const link = number < data.shown ? el("a", { href: "#failure-" + number }, data.groups[number]) : data.groups[number];
    place.append(el("p", {}, "failure: ", link));
  }
  if (cell.near) place.append(...difference(cell));
  addLog(cell, place);
}

function goTo(id) {
  const target = document.getElementById(id);
  if (!target) return;
  if (target.classList.contains("cell")) {
    target.classList.remove("hidden");
    target.open = true;
    fill(target);
  }
  target.scrollIntoView();
  if (target.classList.contains("cell")) target.querySelector("summary").focus({ preventScroll: true });
}
const openCell = () => { if (location.hash.length > 1) goTo(decodeURIComponent(location.hash.slice(1))); };

// two cells

function addCompare() {
  const choices = ["left", "right"].map((id) => {
    const field = el("select", { id });
    data.cells.forEach((cell) => field.append(el("option", { value: cell.number }, cell.id)));
    field.addEventListener("change", drawCompare);
    return field;
  });
  const red = data.cells.find((cell) => cell.groups.length);
  const installed = data.cells.filter((cell) => Object.keys(cell.packages).length);
  const [left, right] = [red || installed[0], installed.find((cell) => red && cell.outcome === "passed") || installed[installed.length - 1]];
  if (left) choices[0].value = left.number;
  if (red && red.near) choices[1].value = red.near[0];
  else if (right) choices[1].value = right.number;
  $("compare-fields").append(el("label", {}, "Cell", choices[0]), el("label", {}, "with", choices[1]));
  drawCompare();
}

function drawCompare() {
  const [left, right] = ["left", "right"].map((id) => data.cells[Number($(id).value)]);
  const body = el("tbody", {});
  const known = (axis) => axis in left.packages || axis in right.packages; // the exact versions say more
  const rows = data.axes.map((axis, number) => [axis, left.axes[number], right.axes[number]]).filter(([axis]) => !known(axis));
  for (const name of [...new Set([...Object.keys(left.packages), ...Object.keys(right.packages)])].sort())
    rows.push([name, left.packages[name] || "", right.packages[name] || ""]);
  for (const [name, one, other] of rows)
    if (one !== other) body.append(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, one), el("td", {}, other)));
  const head = el("tr", {}, el("th", {}, ""), el("th", { scope: "col" }, cellLink(left)), el("th", { scope: "col" }, cellLink(right)));
  $("compare-table").replaceChildren(el("thead", {}, head), body);
  $("compare-said").textContent = body.childElementCount ? "" : "These cells have the same axes and packages.";
}
