"use strict";
// Shows the data of one run. Untrusted text is only inserted as text: `el` makes elements, nothing here parses HTML.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const $ = (id) => document.getElementById(id);
const SIGNS = { p: ["✓", "g", "passed"], P: ["✓", "g", "passed unexpectedly"], f: ["✗", "b", "failed"],
  e: ["E", "b", "error"], s: ["s", "n", "skipped"], x: ["x", "n", "failed as expected"], ".": ["", "", "not run"] };
const STEP = 100; // rows that "Show more tests" adds

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const seconds = (value) => (value < 60 ? value.toFixed(value < 1 ? 2 : 1) + " s"
  : Math.floor(value / 60) + " min " + Math.round(value % 60) + " s");
const cellLink = (cell) => el("a", { href: "#cell-" + cell.id }, cell.id);

// filters of the cells

const chosen = { text: "", outcome: "", axes: {} };
function matches(cell) {
  const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
  const about = (cell.id + " " + cell.outcome + " " + cell.reason + " " + cell.errors).toLowerCase();
  return (!chosen.outcome || cell.outcome === chosen.outcome)
    && data.axes.every((axis, number) => !chosen.axes[axis] || cell.axes[number] === chosen.axes[axis])
    && words.every((word) => about.includes(word));
}
const shown = () => data.cells.filter(matches);

function select(label, values, change) {
  const field = el("select", {}, el("option", { value: "" }, "all"));
  for (const value of values) field.append(el("option", { value }, value || "(empty)"));
  field.addEventListener("change", () => { change(field.value); update(); });
  return el("label", {}, label, field);
}

function addFilters() {
  const text = el("input", { type: "search", placeholder: "id, reason, error", id: "filter-text" });
  text.addEventListener("input", () => { chosen.text = text.value; update(); });
  const every = $("filters");
  every.append(el("label", {}, "Text", text));
  every.append(select("Outcome", [...new Set(data.cells.map((cell) => cell.outcome))], (value) => (chosen.outcome = value)));
  data.axes.forEach((axis, number) => {
    const values = [...new Set(data.cells.map((cell) => cell.axes[number]))];
    if (values.length > 1) every.append(select(axis, values, (value) => (chosen.axes[axis] = value)));
  });
  every.append(el("span", { id: "shown", class: "dim", role: "status" }));
}

function update() {
  const kept = new Set(shown().map((cell) => cell.id));
  for (const link of document.querySelectorAll("[data-cell]")) link.classList.toggle("off", !kept.has(link.dataset.cell));
  for (const cell of document.querySelectorAll(".cell")) cell.classList.toggle("hidden", !kept.has(cell.dataset.id));
  $("shown").textContent = kept.size + " of " + data.cells.length + " cells";
  if (data.tests.length) drawTests();
}

// tests × cells

const KINDS = { differ: (test) => test[3], failed: (test) => /[fe]/.test(test[1]), all: () => true };
const testFilter = { text: "", kind: Object.keys(KINDS).find((kind) => data.tests.some(KINDS[kind])), limit: STEP };

function addTests() {
  const text = el("input", { type: "search", placeholder: "name of a test", id: "test-text" });
  const kind = el("select", { id: "test-kind" });
  for (const [value, label] of [["differ", "that differ between cells"], ["failed", "that failed"], ["all", "all"]])
    kind.append(el("option", { value }, label));
  kind.value = testFilter.kind;
  text.addEventListener("input", () => { testFilter.text = text.value.toLowerCase(); testFilter.limit = STEP; drawTests(); });
  kind.addEventListener("change", () => { testFilter.kind = kind.value; testFilter.limit = STEP; drawTests(); });
  $("test-filters").append(el("label", {}, "Tests", kind), el("label", {}, "Text", text),
    el("span", { id: "tests-shown", class: "dim", role: "status" }));
  $("more-tests").addEventListener("click", () => { testFilter.limit += STEP; drawTests(); });
}

function drawTests() {
  const watched = shown().filter((cell) => data.watched.includes(cell.number));
  const columns = watched.map((cell) => [cell, data.watched.indexOf(cell.number)]);
  const found = data.tests.filter((test) => KINDS[testFilter.kind](test) && test[0].toLowerCase().includes(testFilter.text));
  const varying = data.axes.map((_, number) => number)
    .filter((number) => new Set(data.cells.map((cell) => cell.axes[number])).size > 1);
  const head = el("tr", {}, el("th", { scope: "col" }, "test"));
  for (const [cell] of columns) {
    const label = (varying.length ? varying : [0]).map((number) => cell.axes[number]).join("\n");
    head.append(el("th", { scope: "col", title: cell.id }, label));
  }
  head.append(el("th", { scope: "col" }, "longest"));
  const body = el("tbody", {});
  for (const test of found.slice(0, testFilter.limit)) {
    const row = el("tr", {}, el("th", { scope: "row", class: "mono" }, test[0]));
    for (const [cell, index] of columns) {
      const [sign, style, word] = SIGNS[test[1][index]];
      row.append(el("td", { class: style, title: cell.id + ": " + word }, sign));
    }
    row.append(el("td", { class: "dim" }, seconds(test[2])));
    body.append(row);
  }
  $("tests-table").replaceChildren(el("thead", {}, head), body);
  $("tests-shown").textContent = Math.min(found.length, testFilter.limit) + " of " + found.length + " tests";
  $("more-tests").classList.toggle("hidden", found.length <= testFilter.limit);
}

// one cell

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

function facts(rows) {
  const body = el("tbody", {});
  for (const [name, value] of rows) if (value) body.append(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("table", {}, body);
}

function fill(details) {
  const cell = data.cells[Number(details.dataset.number)];
  const place = details.querySelector("div");
  if (place.childElementCount) return;
  const times = Object.entries(cell.durations).map(([stage, value]) => stage + " " + seconds(value)).join(", ");
  const left = el("div", {}, facts([
    ...data.axes.map((axis, number) => [axis, cell.axes[number]]),
    ["outcome", cell.outcome + (cell.since ? ", unchanged since " + cell.since : "")], ["reason", cell.reason],
    ["tests", cell.tests], ["attempts", cell.attempts > 1 ? String(cell.attempts) : ""], ["times", times],
    ["interpreter", cell.python], ["tested on", cell.attested], ["notes", cell.notes.join("\n")], ["log file", cell.log],
    ["repeat with", cell.repeat],
  ]));
  const packages = Object.entries(cell.packages).map(([name, version]) => [name, version]);
  const right = el("div", {}, el("h3", {}, packages.length + " packages"), facts(packages));
  place.append(el("div", { class: "columns" }, left, right));
  for (const number of cell.groups) {
    const link = el("a", { href: "#failure-" + number }, data.groups[number]);
    place.append(el("p", {}, "failure: ", link));
  }
  const log = $("log-" + cell.number);
  if (log) place.append(el("h3", {}, "Log"), terminal(JSON.parse(log.textContent)));
}

function openCell() {
  const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (target && target.classList.contains("cell")) {
    target.open = true;
    fill(target);
    target.scrollIntoView();
  }
}

// two cells

function addCompare() {
  const fields = ["left", "right"].map((id) => {
    const field = el("select", { id });
    data.cells.forEach((cell) => field.append(el("option", { value: cell.number }, cell.id)));
    field.addEventListener("change", drawCompare);
    return field;
  });
  const bad = data.cells.find((cell) => cell.groups.length);
  const good = data.cells.find((cell) => cell.outcome === "passed") || data.cells[data.cells.length - 1];
  if (bad) fields[0].value = bad.number;
  if (good) fields[1].value = good.number;
  $("compare-fields").append(el("label", {}, "Cell", fields[0]), el("label", {}, "with", fields[1]));
  drawCompare();
}

function drawCompare() {
  const [left, right] = ["left", "right"].map((id) => data.cells[Number($(id).value)]);
  const body = el("tbody", {});
  const rows = [...data.axes.map((axis, number) => [axis, left.axes[number], right.axes[number]])];
  for (const name of [...new Set([...Object.keys(left.packages), ...Object.keys(right.packages)])].sort())
    rows.push([name, left.packages[name] || "", right.packages[name] || ""]);
  for (const [name, one, other] of rows)
    if (one !== other) body.append(el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, one), el("td", {}, other)));
  const head = el("tr", {}, el("th", {}, ""), el("th", { scope: "col" }, cellLink(left)), el("th", { scope: "col" }, cellLink(right)));
  $("compare-table").replaceChildren(el("thead", {}, head), body);
  $("compare-said").textContent = body.childElementCount ? "" : "These cells have the same axes and packages.";
}

// timeline

function addTimeline() {
  const lanes = new Map();
  for (const [number, stage, worker, began, ended] of data.spans) {
    const name = (stage === "resolve" ? "resolver " : "worker ") + worker;
    if (!lanes.has(name)) lanes.set(name, el("div", { class: "track" }));
    const cell = data.cells[number];
    const red = stage === "test" && cell.groups.length ? " red" : "";
    const title = cell.id + ", " + stage + ": " + seconds(ended - began) + " from " + seconds(began);
    const bar = el("a", { class: stage + red, href: "#cell-" + cell.id, title }, stage === "resolve" ? "" : cell.id);
    bar.style.left = (100 * began) / data.duration + "%";
    bar.style.width = (100 * (ended - began)) / data.duration + "%";
    lanes.get(name).append(bar);
  }
  const key = (name) => [name.startsWith("resolver") ? 0 : 1, Number(name.split(" ")[1])];
  const ordered = [...lanes.keys()].sort((a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1]);
  for (const name of ordered) $("timeline").append(el("div", { class: "lane" }, el("span", {}, name), lanes.get(name)));
}

addFilters();
if (data.tests.length) addTests();
if (data.cells.length) addCompare();
if (data.spans.length && data.duration) addTimeline();
update();
for (const details of document.querySelectorAll(".cell")) details.addEventListener("toggle", () => details.open && fill(details));
window.addEventListener("hashchange", openCell);
openCell();
document.documentElement.dataset.ready = "1";
