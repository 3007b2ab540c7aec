// @ts-check
/** On Z-Image Curate: a table of concepts, those that need pictures most first, and a wall of what is proposed for them. */
import { addWallOf } from "./wall.mjs";
import { message } from "../page/comfyui.mjs";
import { part } from "../page/elements.mjs";

/** @typedef {{name: string, score: string, rarity: string, proposed: number}} Concept */

export const CURATED = "ZImageCurate";
const SHOWN = 12; // rows of the table
const COLUMNS = /** @type {const} */ (["name", "score", "rarity", "proposed"]);

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addProposals(node, panel) {
  addWallOf(node, panel, { output: "zimage_curate", words: "proposals", above: ({ concepts }) => table(concepts) });
}

/** @param {Concept[]} concepts */
function table(concepts) {
  const element = part("table", "zimage-concepts");
  element.append(row("th", [message("conceptName"), message("conceptScore"), message("conceptRarity"), message("conceptProposed")]));
  for (const each of concepts.slice(0, SHOWN)) element.append(row("td", COLUMNS.map((column) => String(each[column]))));
  if (concepts.length > SHOWN) element.append(row("td", [message("conceptsMore", { count: concepts.length - SHOWN })]));
  return element;
}

/** @param {"th" | "td"} tag @param {string[]} texts */
function row(tag, texts) {
  const element = part("tr", "zimage-concept");
  for (const text of texts) {
    const cell = part(tag, "zimage-concept-cell");
    cell.textContent = text;
    element.append(cell);
  }
  return element;
}
