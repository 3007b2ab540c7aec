// @ts-check
/** What Z-Image Search Pictures found: a wall of small pictures with their scores, the best first. */
import { language, message, request } from "../page/comfyui.mjs";
import { part } from "../page/elements.mjs";
import { watch } from "../page/watch.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {{name: string, score: number}} Hit */
/** @typedef {{folder: string, hits: Hit[]}} Found */

export const SEARCHED = "ZImageSearchPictures";
const LEAST_WIDTH = 400; // pixels of a new node
const DIGITS = 3; // of a score

/** @param {any} node @param {Panel} panel */
export function addHits(node, panel) {
  const element = part("div", "zimage-hits");
  panel.growWith(element, LEAST_WIDTH);
  /** @type {Hit[] | null} */
  let hits = null;
  /** @type {Record<string, string>} small pictures by name */
  let pictures = {};
  const show = () => {
    if (!hits) return;
    element.replaceChildren(...hits.map((hit, place) => tile(hit, place + 1, pictures[hit.name])));
    panel.show("hits", { text: message("hitsTitle"), content: element });
    panel.fit();
  };
  watch({ node, state: () => language(), update: show });
  const previous = node.onExecuted;
  node.onExecuted = async function (/** @type {{zimage_search?: Found[]} | null} */ output) {
    previous?.apply(this, arguments);
    const [found] = output?.zimage_search ?? [];
    if (!found) return;
    const names = found.hits.map(({ name }) => name).join("\n");
    const { data } = await request("thumbnails", { folder: found.folder, names });
    [hits, pictures] = [found.hits, data?.thumbnails ?? {}];
    show();
  };
}

/** @param {Hit} hit @param {number} rank @param {string | undefined} address */
function tile({ name, score }, rank, address) {
  const shown = part("div", "zimage-hit");
  const image = document.createElement("img");
  if (address) image.src = address;
  image.draggable = false;
  const label = part("span", "zimage-wall-size");
  label.textContent = score.toPrecision(DIGITS);
  image.alt = shown.title = `${rank}. ${name}: ${label.textContent}`;
  shown.append(image, label);
  return shown;
}
