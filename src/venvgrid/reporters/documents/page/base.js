"use strict";
// Shows the data of one run. Untrusted text is only inserted as text: `el` makes elements, nothing here parses HTML.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function attributed(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const el = (name, attributes, ...children) => attributed(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => attributed(document.createElementNS(SVG, name), attributes, children);
const seconds = (value) => (value < 59.95 ? value.toFixed(value < 1 ? 2 : 1) + " s"
  : Math.floor(value / 60) + " min " + Math.round(value % 60) + " s");
const cellLink = (cell) => el("a", { href: "#cell-" + cell.id }, cell.id);
const count = (number, noun) => number + " " + noun + (number === 1 ? "" : "s");
const signOf = (cell) => el("span", { class: "tag " + cell.outcome }, signs.get(cell.id) || "");
const signs = new Map([...document.querySelectorAll("[data-cell]")].map((link) => [link.dataset.cell, link.textContent]));
const varying = data.axes.map((_, number) => number)
  .filter((number) => new Set(data.cells.map((cell) => cell.axes[number])).size > 1);

// copying

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (refused) { // an old browser, or a page that may not
    const field = el("textarea", { class: "offscreen" }, text);
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

function copyButton(label, text) {
  const button = el("button", { type: "button", class: "copy", title: "copy to the clipboard" }, label);
  button.addEventListener("click", async () => {
    await copy(text());
    button.textContent = "copied ✓";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

function addCopyButtons() {
  for (const code of document.querySelectorAll("code.copied")) code.after(copyButton("copy", () => code.textContent));
  for (const pre of document.querySelectorAll(".traceback pre")) {
    const button = copyButton("copy traceback", () => pre.textContent);
    pre.after(button);
  }
}
