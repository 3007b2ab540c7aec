// @ts-check
/**
 * The size a model was made for: lines under the sampler and under the node that gives the size, with a button that
 * sets it. A node that was just added follows its model by itself until someone else sets its size.
 */
import { allNodes, classOf, loaderFile, sourceOf } from "../page/graph.mjs";
import { isOn, message, toast } from "../page/comfyui.mjs";
import { SAMPLERS } from "../samplers/presets.mjs";
import { MODEL_FILES, factsOf } from "../samplers/releases.mjs";
import { ADVICE } from "../page/settings.mjs";
import { isFar, sizeFrom, valuesForSquare } from "./sizes.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valuesOf } from "../page/widgets.mjs";

/** @typedef {import("../page/graph.mjs").NodeLike} NodeLike */
/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {{node: NodeLike, size: import("./sizes.mjs").Size}} Source of a latent */

export const DRAWING = [...SAMPLERS, "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"];

/** @type {Record<string, string[]>} widgets that give a latent its size, by node class */
const SIZE_WIDGETS = {
  ZImageEmptyLatent: ["ratio", "megapixels"],
  ZImageImageToImage: ["megapixels"],
  ZImageInpaint: ["megapixels"],
  ZImageOutpaint: ["megapixels"],
};
const STOCK_SIZE_WIDGETS = ["width", "height"];
const LATENTS = ["latent", "latent_image"];

export const SIZED = Object.keys(SIZE_WIDGETS);

/** The line under a sampler. @param {any} node @param {Panel} panel */
export function addSamplerSize(node, panel) {
  watch({
    node,
    state() {
      const source = sourceFor(node);
      return JSON.stringify([isOn(ADVICE), modelFileOf(node), source?.node.id, source?.size]);
    },
    update: () => showSize(panel, modelFileOf(node), sourceFor(node)),
  });
}

/** The line under a node that gives a latent its size, and its size while it is new. @param {any} node @param {Panel} panel */
export function addLatentSize(node, panel) {
  const follow = follower(node);
  const files = () => [...new Set(samplersOf(node).map(modelFileOf))];
  watch({
    node,
    state: () => JSON.stringify([isOn(ADVICE), files(), sizeValues(node)]),
    async update() {
      const names = files();
      const facts = await Promise.all(names.map(factsOf));
      if (facts.includes(undefined)) return false;
      const [native, ...others] = facts.map((each) => each?.native);
      if (native && isOn(ADVICE) && others.every((each) => each?.side === native.side)) follow(native.side);
      const far = names.find((_, index) => isFarFrom(node, facts[index]?.native)) ?? "";
      return showSize(panel, far, sourceAt(node));
    },
  });
}

/**
 * A function that sets a node's size, with a word, as long as the node is new and has the size it came with or was
 * given here. Loading, pasting and undo configure a node; its values are then the artist's.
 * @param {any} node
 * @returns {(side: number) => void}
 */
function follower(node) {
  /** @type {Record<string, unknown> | null} */
  let own = sizeValues(node);
  const previous = node.onConfigure;
  node.onConfigure = function () {
    own = null;
    return previous?.apply(this, arguments);
  };
  return (side) => {
    if (!own) return;
    if (JSON.stringify(own) !== JSON.stringify(sizeValues(node))) own = null;
    else if (useSide(node, side)) own = sizeValues(node);
  };
}

/** @param {Panel} panel @param {string} file @param {Source | null} source */
async function showSize(panel, file, source) {
  if (!isOn(ADVICE) || !file || !source) return panel.show("native", null);
  const facts = await factsOf(file);
  if (!facts) return false;
  if (!facts.native || !isFar(source.size, facts.native)) return panel.show("native", null);
  const { side } = facts.native;
  const text = message("farSize", { file, side, ...source.size });
  const button = message("useSize", { side });
  const buttons = [{ text: button, title: button, onClick: () => void useSide(source.node, side) }];
  panel.show("native", { text, tone: "warning", buttons });
}

/** Set a node's size to a square; false if it has it. @param {NodeLike} node @param {number} side */
function useSide(node, side) {
  const changed = setValues(node, valuesForSquare(sizeValues(node), side));
  if (!Object.keys(changed).length) return false;
  toast("Z-Image", message("sizeSet", { side }));
  return true;
}

/** @param {NodeLike} node @param {import("./sizes.mjs").Native | undefined} native */
function isFarFrom(node, native) {
  const source = sourceAt(node);
  return Boolean(native && source && isFar(source.size, native));
}

/** The node that gives a sampler's latent its size. @param {NodeLike} sampler */
function sourceFor(sampler) {
  const source = latentSource(sampler);
  return source && sourceAt(source);
}

/** @param {NodeLike} node @returns {Source | null} */
function sourceAt(node) {
  const size = sizeFrom(sizeValues(node));
  return size && { node, size };
}

/** @param {NodeLike} node */
function sizeValues(node) {
  return valuesOf(node, SIZE_WIDGETS[classOf(node)] ?? STOCK_SIZE_WIDGETS);
}

/** The samplers that draw a node's latent. @param {NodeLike} node */
function samplersOf(node) {
  return allNodes(node).filter((each) => DRAWING.includes(classOf(each)) && latentSource(each) === node);
}

/** @param {NodeLike} sampler */
function latentSource(sampler) {
  return LATENTS.map((name) => sourceOf(sampler, name)).find((source) => source) ?? null;
}

/** The model file of a sampler, or of its guider. @param {NodeLike} sampler */
function modelFileOf(sampler) {
  return loaderFile(sourceOf(sampler, "guider") ?? sampler, "model", MODEL_FILES);
}
