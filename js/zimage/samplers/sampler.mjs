// @ts-check
/** Lines under a sampler: planned network calls (NFE), duration of the last run, and advice on its settings. */
import { chainOf, classOf, fileInChain, isLinked } from "../page/graph.mjs";
import { isOn, message, request, toast } from "../page/comfyui.mjs";
import { adviceFor, releaseOf, settingsFor } from "./presets.mjs";
import { MODEL_FILES, factsOf } from "./releases.mjs";
import { ADVICE, EVALUATIONS } from "../page/settings.mjs";
import { watch } from "../page/watch.mjs";
import { labelOf, setValues, valueOf, valuesOf } from "../page/widgets.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {{evaluations: number, seconds: number, pictures: number, seeds?: string}} RunInfo */

const COUNTED = ["ZImageTurboSampler", "ZImageSampler"];
const RANGE = ["start_at_step", "end_at_step", "return_with_leftover_noise"];
const QUERIED = ["steps", "shift", "strength", "solver", "cfg", "cfg_truncation", "cfg_start", ...RANGE];
const REQUIRED = ["steps", "shift", "strength", "solver"];
const ADVISED = ["steps", "cfg", "start_at_step", "end_at_step"];
const CACHES = ["ZImageStepCache", "EasyCache", "LazyCache"];

/** @param {any} node @param {string} nodeClass @param {Panel} panel */
export function addSamplerFacts(node, nodeClass, panel) {
  const isUnknown = () => QUERIED.some((name) => isLinked(node, name)); // a value that another node computes
  const values = () => (isUnknown() ? {} : valuesOf(node, QUERIED));
  const isCached = () => chainOf(node, "model").some(mayCache);

  if (COUNTED.includes(nodeClass)) {
    const state = () => JSON.stringify([isOn(EVALUATIONS), values(), isCached()]);
    watch({ node, state, update: () => showNfe(panel, values(), isCached()) });
    showLastRun(node, panel);
  }
  const state = () => JSON.stringify([isOn(ADVICE), values(), modelOf(node)]);
  watch({ node, state, update: () => showAdvice(node, nodeClass, panel, modelOf(node)) });
}

/** The model file of a sampler, and whether a LoRA node is in between. @param {any} node */
function modelOf(node) {
  const chain = chainOf(node, "model");
  return { file: fileInChain(chain, MODEL_FILES), hasLora: chain.some((each) => /lora/i.test(classOf(each))) };
}

/** Whether a node upstream may skip network calls by a step cache. @param {import("../page/graph.mjs").NodeLike} node */
function mayCache(node) {
  return CACHES.includes(classOf(node)) || (valueOf(node, "caching") ?? "off") !== "off";
}

/** @param {Panel} panel @param {Record<string, unknown>} values @param {boolean} isCached */
async function showNfe(panel, values, isCached) {
  if (!isOn(EVALUATIONS) || REQUIRED.some((widget) => !(widget in values))) return panel.show("evaluations", null);
  const { data, isOffline } = await request("evaluations", values);
  const name = isCached ? "atMost" : "evaluations";
  panel.show("evaluations", data && { text: message(name, { count: data.evaluations }) });
  return !isOffline;
}

/** @param {any} node @param {Panel} panel */
function showLastRun(node, panel) {
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_run?: RunInfo[]}} */ output) {
    previous?.apply(this, arguments);
    const run = output?.zimage_run?.[0];
    if (!run || !isOn(EVALUATIONS)) return;
    const seconds = run.seconds / run.pictures;
    const values = { count: run.evaluations, seconds: seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1) };
    panel.show("took", { text: message("took", values) });
    panel.show("seeds", run.seeds ? { text: message("seeds", { seeds: run.seeds }) } : null);
  };
}

/** @param {any} node @param {string} nodeClass @param {Panel} panel @param {ReturnType<typeof modelOf>} model */
async function showAdvice(node, nodeClass, panel, { file, hasLora }) {
  if (!isOn(ADVICE)) return panel.show("advice", null);
  const facts = await factsOf(file);
  if (!facts) return false;
  const advice = adviceFor(nodeClass, releaseOf(facts.release), valuesOf(node, ADVISED), hasLora);
  if (!advice) return panel.show("advice", null);
  const { fix } = advice;
  const text = message(advice.problem, { file });
  panel.show("advice", { text, tone: "warning", buttons: fix ? [fixButton(node, nodeClass, fix)] : [] });
}

/** @param {any} node @param {string} nodeClass @param {"turbo" | "base"} name */
function fixButton(node, nodeClass, name) {
  const text = message(name);
  return { text, title: text, onClick: () => applySettings(node, nodeClass, name) };
}

/**
 * Apply the settings of a released model to a sampler, and show them in a toast.
 * @param {any} node
 * @param {string} nodeClass
 * @param {"turbo" | "base"} name
 */
export function applySettings(node, nodeClass, name) {
  const settings = settingsFor(nodeClass, name);
  setValues(node, settings);
  const values = Object.entries(settings).map(([widget, value]) => `${labelOf(node, widget)} ${value}`);
  toast("Z-Image", message("applied", { name: message(name), values: values.join(", ") }));
}
