// @ts-check
/** A new prompt node has room for eight lines in each of its boxes; a loaded or pasted one keeps its size. */
import { METERED } from "./meter.mjs";

export const ROOMY = [...METERED, "ZImagePrompt", "ZImageEnhancePrompt"];
const MIN_WIDTH = 400; // pixels
const BOX = 180; // pixels beyond the least height that eight lines take in Nodes 2.0, with the line of tokens below
const HISTORY = 40; // pixels of the button with the last prompts, which comes with the first run
const PROMPTS = ["prompt", "negative_prompt", "request", "own_prompt", "text"];

/** @param {any} node */
export function addRoom(node) {
  const boxes = node.widgets?.filter((/** @type {{name: string}} */ each) => PROMPTS.includes(each.name)).length ?? 0;
  const [width, height] = node.size;
  node.setSize([Math.max(width, MIN_WIDTH), height + BOX * boxes + HISTORY]);
}
