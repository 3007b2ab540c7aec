// @ts-check
/** The ends of a concept map on Z-Image Concept Map, and a link to the page to walk through it. */
import { language, message, pictureAddress } from "../page/comfyui.mjs";
import { part } from "../page/elements.mjs";
import { watch } from "../page/watch.mjs";
import { inLanguage } from "../runs/translation.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {{en: string, zh: string, count: number}} Concept */
/** @typedef {{title: string, rows: Concept[]}} Table */
/** @typedef {{pictures: number, tables: Table[], page: {filename: string, subfolder: string, type: string}}} Found */

export const MAPPED = "ZImageConceptMap";
const LEAST_WIDTH = 400; // pixels of a new node

/** @param {any} node @param {Panel} panel */
export function addConcepts(node, panel) {
  const element = part("div", "zimage-map");
  panel.growWith(element, LEAST_WIDTH);
  /** @type {Found | null} */
  let found = null;
  const show = () => {
    if (!found) return;
    const { tables, pictures, page } = found;
    element.replaceChildren(...tables.map((each) => tableOf(each, pictures)), linkTo(page));
    panel.show("map", { text: message("conceptsTitle"), content: element });
    panel.fit();
  };
  watch({ node, state: () => language(), update: show });
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_concepts?: Found[]} | null} */ output) {
    previous?.apply(this, arguments);
    found = output?.zimage_concepts?.[0] ?? found;
    show();
  };
}

/** @param {Table} table @param {number} pictures */
function tableOf({ title, rows }, pictures) {
  const table = document.createElement("table");
  table.createCaption().textContent = inLanguage(title, language());
  for (const { en, zh, count } of rows) {
    const row = table.insertRow();
    row.insertCell().textContent = language() === "zh" ? zh || en : en || zh;
    row.insertCell().textContent = `${count} / ${pictures}`;
  }
  return table;
}

/** A link that takes the page; ComfyUI hands out pages as downloads only. @param {Found["page"]} page */
function linkTo(page) {
  const link = document.createElement("a");
  link.href = pictureAddress(page);
  link.download = page.filename;
  link.textContent = message("conceptsPage");
  return link;
}
