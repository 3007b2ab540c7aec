// @ts-check
/** Under a sampler: how often the network will run, how long it last took, and a word where settings do not fit. */
import { chainOf, classOf, fileIn } from "./graph.mjs";
import { ask, isOn, tell, toast } from "./host.mjs";
import { adviceFor, releaseOf, settingsFor } from "./presets.mjs";
import { ADVICE, EVALUATIONS } from "./settings.mjs";
import { watch } from "./watch.mjs";
import { setValues, valueOf, valuesOf } from "./widgets.mjs";

/** @typedef {import("./panel.mjs").Panel} Panel */
/** @typedef {{evaluations: number, seconds: number, pictures: number}} Run */

export const MODEL_FILES = ["model_name", "unet_name"];
const COUNTED = ["ZImageTurboSampler", "ZImageSampler"];
const ASKED = ["steps", "shift", "strength", "solver", "cfg", "cfg_truncation", "cfg_start"];
const NEEDED = ["steps", "shift", "strength", "solver"];
const CACHES = ["ZImageStepCache", "EasyCache", "LazyCache"];

/** @type {Map<string, string>} release by file, asked once */
const releases = new Map();

/** @param {any} node @param {string} nodeClass @param {Panel} panel */
export function addSamplerFacts(node, nodeClass, panel) {
  const values = () => valuesOf(node, ASKED);
  const isCached = () => chainOf(node, "model").some(skips);

  if (COUNTED.includes(nodeClass)) {
    const state = () => JSON.stringify([isOn(EVALUATIONS), values(), isCached()]);
    watch({ node, state, update: () => showEvaluations(panel, values(), isCached()) });
    showLastRun(node, panel);
  }
  const state = () => JSON.stringify([isOn(ADVICE), values(), modelOf(node)]);
  watch({ node, state, update: () => showAdvice(node, nodeClass, panel, modelOf(node)) });
}

/** What a sampler runs: the file, and whether a LoRA is on it. @param {any} node */
function modelOf(node) {
  const chain = chainOf(node, "model");
  return { file: fileIn(chain, MODEL_FILES), hasLora: chain.some((each) => /lora/i.test(classOf(each))) };
}

/**
 * The release of a file, in the server's words; undefined while the server is away.
 * @param {string} file
 */
export async function releaseWords(file) {
  if (!file) return "";
  if (!releases.has(file)) {
    const { answer, isAway } = await ask("release", { file });
    if (isAway) return undefined;
    releases.set(file, answer?.release ?? "");
  }
  return releases.get(file);
}

/** A release that was asked for before, for menus, which cannot wait. @param {string} file */
export function knownRelease(file) {
  return releases.get(file) ?? "";
}

/** Whether a node on a model's way may spare evaluations. @param {import("./graph.mjs").NodeLike} node */
function skips(node) {
  return CACHES.includes(classOf(node)) || (valueOf(node, "caching") ?? "off") !== "off";
}

/** @param {Panel} panel @param {Record<string, unknown>} values @param {boolean} isCached */
async function showEvaluations(panel, values, isCached) {
  if (!isOn(EVALUATIONS) || NEEDED.some((name) => !(name in values))) return panel.show("evaluations", null);
  const { answer, isAway } = await ask("evaluations", values);
  const sentence = isCached ? "atMost" : "evaluations";
  panel.show("evaluations", answer && { text: tell(sentence, { count: answer.evaluations }) });
  return !isAway;
}

/** @param {any} node @param {Panel} panel */
function showLastRun(node, panel) {
  const before = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_run?: Run[]}} */ output) {
    before?.apply(this, arguments);
    const run = output?.zimage_run?.[0];
    if (!run || !isOn(EVALUATIONS)) return;
    const seconds = run.seconds / run.pictures;
    const blanks = { count: run.evaluations, seconds: seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1) };
    panel.show("took", { text: tell("took", blanks) });
  };
}

/** @param {any} node @param {string} nodeClass @param {Panel} panel @param {ReturnType<typeof modelOf>} model */
async function showAdvice(node, nodeClass, panel, { file, hasLora }) {
  if (!isOn(ADVICE)) return panel.show("advice", null);
  const words = await releaseWords(file);
  if (words === undefined) return false;
  const advice = adviceFor(nodeClass, releaseOf(words), valuesOf(node, ["steps", "cfg"]), hasLora);
  if (!advice) return panel.show("advice", null);
  const { mend } = advice;
  const text = tell(advice.fault, { file });
  panel.show("advice", { text, tone: "warning", buttons: mend ? [mendButton(node, nodeClass, mend)] : [] });
}

/** @param {any} node @param {string} nodeClass @param {"turbo" | "base"} name */
function mendButton(node, nodeClass, name) {
  const text = tell(name);
  return { text, title: text, press: () => applySettings(node, nodeClass, name) };
}

/**
 * Set a sampler to what a released model was made for, and tell what changed.
 * @param {any} node
 * @param {string} nodeClass
 * @param {"turbo" | "base"} name
 */
export function applySettings(node, nodeClass, name) {
  const settings = settingsFor(nodeClass, name);
  setValues(node, settings);
  const values = Object.entries(settings).map(([widget, value]) => `${widget} ${value}`);
  toast("Z-Image", tell("applied", { name: tell(name), values: values.join(", ") }));
}
