// @ts-check
/** What a node reports when it has run, on the node. */
import { isOn } from "./host.mjs";
import { REPORTS } from "./settings.mjs";

/** @param {any} node @param {import("./panel.mjs").Panel} panel */
export function addReport(node, panel) {
  const before = node.onExecuted;
  node.onExecuted = function (/** @type {{text?: unknown[]}} */ output) {
    before?.apply(this, arguments);
    const text = output?.text?.join("\n");
    panel.show("report", text && isOn(REPORTS) ? { text } : null);
  };
}
