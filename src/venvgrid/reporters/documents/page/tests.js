
// each test, with a picture of the cells in which it failed

const WORDS = { p: "passed", P: "passed unexpectedly", f: "failed", e: "error", s: "skipped", x: "failed as expected", ".": "not run" };
const KINDS = { differ: (test) => test[3], failed: (test) => /[fe]/.test(test[1]), all: () => true };
const MORE = 100; // tests that "Show more tests" adds
const testFilter = { text: "", kind: Object.keys(KINDS).find((kind) => data.tests.some(KINDS[kind])), limit: MORE };

function addTests() {
  const text = el("input", { type: "search", placeholder: "name of a test", id: "test-text" });
  const kind = el("select", { id: "test-kind" });
  for (const [value, label] of [["differ", "that differ between cells"], ["failed", "that failed"], ["all", "all"]])
    kind.append(el("option", { value }, label + " (" + data.tests.filter(KINDS[value]).length + ")"));
  kind.value = testFilter.kind;
  text.addEventListener("input", () => { testFilter.text = text.value.toLowerCase(); testFilter.limit = MORE; drawTests(); });
  kind.addEventListener("change", () => { testFilter.kind = kind.value; testFilter.limit = MORE; drawTests(); });
  $("test-filters").append(el("label", {}, "Tests", kind), el("label", {}, "Text", text));
  $("more-tests").addEventListener("click", () => { testFilter.limit += MORE; drawTests(); });
  $("tests-legend").textContent = "■ failed, □ passed, ▪ skipped or expected, · not run: each picture is the grid above.";
}

function drawTests() {
  const kept = new Set(shown());
  const columns = data.watched.map((number, index) => [data.cells[number], index]).filter(([cell]) => kept.has(cell));
  const found = data.tests.filter((test) => KINDS[testFilter.kind](test) && test[0].toLowerCase().includes(testFilter.text));
  const body = el("tbody", {});
  for (const test of found.slice(0, testFilter.limit)) body.append(testRow(test, columns));
  const head = ["cells", "test", "outcome", "longest"].map((name) => el("th", { scope: "col" }, name));
  $("tests-table").replaceChildren(el("thead", {}, el("tr", {}, ...head)), body);
  $("tests-shown").textContent = Math.min(found.length, testFilter.limit) + " of " + found.length + " tests";
  $("more-tests").classList.toggle("hidden", found.length <= testFilter.limit);
}

function testRow([name, letters, longest], columns) {
  const by = new Map();
  for (const [cell, index] of columns) {
    const word = WORDS[letters[index]];
    by.set(word, [...(by.get(word) || []), cell]);
  }
  const of = (...words) => words.flatMap((word) => by.get(word) || []);
  const failed = of("failed", "error");
  const ran = columns.length - of("not run").length;
  const said = failed.length ? "✗ fails in " + failed.length + " of " + ran
    : of("passed", "passed unexpectedly").length ? "✓ passes in " + of("passed", "passed unexpectedly").length + " of " + ran : "skipped in " + ran;
  const rest = el("details", { class: "names" }, el("summary", { class: failed.length ? "red" : "" }, said));
  rest.addEventListener("toggle", () => {
    if (!rest.open || rest.childElementCount > 1) return;
    for (const [word, cells] of by)
      rest.append(el("p", {}, el("b", {}, word + ": "), ...cells.flatMap((cell) => [cellLink(cell), " "])));
  });
  const rows = picture(said, { pale: of("passed", "passed unexpectedly"), half: of("skipped", "failed as expected"),
    dots: of("not run"), dark: failed }, Math.max(3, Math.min(6, STEP)));
  return el("tr", {}, el("td", {}, rows), el("th", { scope: "row", class: "mono" }, name), el("td", {}, rest),
    el("td", { class: "dim number" }, seconds(longest)));
}
