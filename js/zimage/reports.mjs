// @ts-check
/** The text output of a node, shown on the node after it has run. */
import { isOn } from "./comfyui.mjs";
import { REPORTS } from "./settings.mjs";

/** @param {any} node @param {import("./panel.mjs").Panel} panel */
export function addReport(node, panel) {
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{text?: unknown[]}} */ output) {
    previous?.apply(this, arguments);
    const text = output?.text?.join("\n");
    panel.show("report", text && isOn(REPORTS) ? { text } : null);
  };
}
