
// filters of the cells

const chosen = { text: "", outcome: "", axes: {} };
const fields = {}; // the select of "outcome" and of each axis
for (const cell of data.cells) {
  const failures = cell.groups.map((number) => data.groups[number]);
  cell.about = [cell.id, cell.outcome, cell.reason, ...failures, ...cell.failed].join(" ").toLowerCase();
}
function matches(cell) {
  const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (!chosen.outcome || cell.outcome === chosen.outcome)
    && data.axes.every((axis, number) => !(axis in chosen.axes) || cell.axes[number] === chosen.axes[axis])
    && words.every((word) => cell.about.includes(word));
}
const shown = () => data.cells.filter(matches);

function select(label, values, change) {
  const field = el("select", {}, el("option", { value: "all" }, "all"));
  values.forEach((value, number) => field.append(el("option", { value: number }, value || "(empty)")));
  field.addEventListener("change", () => { change(field.value === "all" ? undefined : values[Number(field.value)]); update(); });
  fields[label] = { field, set: (value) => { field.value = values.indexOf(value) < 0 ? "all" : values.indexOf(value); change(value); } };
  return el("label", {}, label, field);
}

function chooseAxis(axis, value) {
  if (value === undefined) delete chosen.axes[axis];
  else chosen.axes[axis] = value;
}

function addFilters() {
  const text = el("input", { type: "search", placeholder: "id, reason, error, test", id: "filter-text" });
  text.addEventListener("input", () => { chosen.text = text.value; update(); });
  const every = $("filters");
  every.append(el("label", {}, "Text", text));
  const outcomes = [...new Set(data.cells.map((cell) => cell.outcome))];
  every.append(select("Outcome", outcomes, (value) => { chosen.outcome = value || ""; }));
  for (const number of varying) {
    const axis = data.axes[number];
    every.append(select(axis, [...new Set(data.cells.map((cell) => cell.axes[number]))], (value) => chooseAxis(axis, value)));
  }
  const clear = el("button", { type: "button", id: "clear", class: "hidden" }, "Clear");
  clear.addEventListener("click", () => {
    text.value = chosen.text = "";
    for (const item of Object.values(fields)) item.set(undefined);
    update();
    text.focus();
  });
  every.append(clear, el("span", { id: "shown", class: "dim", role: "status" }));
}

// A click on an outcome, a column or a row shows only its cells; the second click shows all again.
function toggles(holder, wanted) {
  const button = el("button", { type: "button", class: "plain", "aria-pressed": "false", title: "show only these cells" });
  button.append(...holder.childNodes);
  holder.append(button);
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    for (const [label, value] of wanted) fields[label].set(pressed ? value : undefined);
    update();
  });
  button.isChosen = () => wanted.every(([label, value]) => label === "Outcome" ? chosen.outcome === value : chosen.axes[label] === value);
}

function addToggles() {
  for (const item of document.querySelectorAll("#key [data-outcome]")) toggles(item, [["Outcome", item.dataset.outcome]]);
  for (const head of document.querySelectorAll("[data-axis]"))
    if (fields[head.dataset.axis]) toggles(head, [[head.dataset.axis, head.dataset.value]]);
  for (const head of document.querySelectorAll("[data-row]")) {
    const link = head.parentNode.querySelector("[data-cell]");
    const column = document.querySelector("[data-axis]");
    const cell = link && data.cells.find((item) => item.id === link.dataset.cell);
    const wanted = cell ? varying.map((number) => [data.axes[number], cell.axes[number]])
      .filter(([axis]) => !column || axis !== column.dataset.axis) : [];
    if (wanted.length) toggles(head, wanted);
  }
}

function update() {
  const kept = new Set(shown().map((cell) => cell.id));
  for (const link of document.querySelectorAll("[data-cell]")) link.classList.toggle("off", !kept.has(link.dataset.cell));
  for (const cell of document.querySelectorAll(".cell")) cell.classList.toggle("hidden", !kept.has(cell.dataset.id));
  for (const button of document.querySelectorAll("[aria-pressed].plain")) button.setAttribute("aria-pressed", String(button.isChosen()));
  $("shown").textContent = kept.size + " of " + data.cells.length + " cells";
  $("clear").classList.toggle("hidden", kept.size === data.cells.length);
  if (data.tests.length) drawTests();
}
