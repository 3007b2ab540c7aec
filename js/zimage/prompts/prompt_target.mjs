// @ts-check
/** The prompt box that belongs to a model, to write a LoRA's trigger words into. Pure but for the one that writes. */
import { allNodes, chainOf, sourceOf } from "../page/graph.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";

/** @typedef {import("../page/graph.mjs").NodeLike} NodeLike */
/** @typedef {{node: NodeLike, name: string}} Box */

const MODEL = "model";
const ENCODED = ["positive", "conditioning"]; // inputs of samplers, guiders and what stands before them
const TEXTS = ["prompt", "text"]; // inputs of encoders and of what writes their prompts
const MOST_NODES = 50; // in a row, so that a cycle ends

/**
 * The box whose prompt is drawn with the model that leaves a node; null where no box, or only another node, gives it.
 * @param {NodeLike} loader
 * @returns {Box | null}
 */
export function promptBoxOf(loader) {
  const users = allNodes(loader).filter((node) => chainOf(node, MODEL).includes(loader));
  return users.map((node) => textBox(node) ?? encodedBox(node)).find((box) => box) ?? null;
}

/** Write a word at the end of a box, if it is not there yet; whether it was written. @param {Box} box @param {string} word */
export function addWord({ node, name }, word) {
  const text = String(valueOf(node, name));
  if (text.toLowerCase().includes(word.toLowerCase())) return false;
  const start = text.trimEnd().replace(/,$/, "");
  setValues(node, { [name]: start ? `${start}, ${word}` : word });
  return true;
}

/** @param {NodeLike} node @param {number} [left] @returns {Box | null} */
function encodedBox(node, left = MOST_NODES) {
  const source = ENCODED.map((name) => sourceOf(node, name)).find((each) => each);
  return source && left ? (textBox(source) ?? encodedBox(source, left - 1)) : null;
}

/** @param {NodeLike} node @param {number} [left] @returns {Box | null} */
function textBox(node, left = MOST_NODES) {
  const name = TEXTS.find((each) => typeof valueOf(node, each) === "string");
  if (name) return { node, name };
  const source = TEXTS.map((each) => sourceOf(node, each)).find((each) => each);
  return source && left ? textBox(source, left - 1) : null;
}
