// @ts-check
/** Why a run stopped or was refused, on the node that did so, until the next run starts. */
import { inputErrors, isOn, language, onServerEvent, packFolder, rootGraph } from "../page/comfyui.mjs";
import { isRaisedIn } from "./errors.mjs";
import { classOf, nodeByExecutionId } from "../page/graph.mjs";
import { Panel, panelOf } from "../page/panel.mjs";
import { REPORTS } from "../page/settings.mjs";
import { errorText } from "./translation.mjs";
import { watch } from "../page/watch.mjs";

/** @typedef {{node_id: string, exception_message: string, traceback?: string[]}} Failure ComfyUI's execution_error */

/** @type {Set<Panel>} panels with an error */
const shown = new Set();

/** @param {any} node @param {Panel} panel */
export function addFailure(node, panel) {
  const told = () => (isOn(REPORTS) ? errorText(refusalOf(node), language()) : "");
  watch({
    node,
    state: told,
    update() {
      const text = told();
      panel.show("refusal", text ? { text, title: refusalOf(node), tone: "error" } : null);
    },
  });
}

/** What a node's own check of its inputs says before a run; "" if it has no objection. @param {any} node */
function refusalOf(node) {
  for (const [id, { errors }] of Object.entries(inputErrors())) {
    const own = errors.find((each) => each.type === "custom_validation_failed");
    if (own && nodeByExecutionId(rootGraph(), id) === node) return own.details.replace(/^\w+ - /, "");
  }
  return "";
}

export function watchFailures() {
  onServerEvent("execution_error", showFailure);
  onServerEvent("execution_start", clear);
}

/** @param {Failure} failure */
function showFailure({ node_id: id, exception_message: original, traceback }) {
  const node = nodeByExecutionId(rootGraph(), id);
  if (!node || !isOn(REPORTS)) return;
  if (!classOf(node).startsWith("ZImage") && !isRaisedIn(traceback, packFolder())) return;
  const panel = panelOf(node) ?? new Panel(node); // stock nodes get one with their first error of ours
  shown.add(panel);
  panel.show("error", { text: errorText(original, language()), title: original.trim(), tone: "error" });
}

function clear() {
  for (const panel of shown) panel.show("error", null);
  shown.clear();
}
