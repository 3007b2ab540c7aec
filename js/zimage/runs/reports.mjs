// @ts-check
/** The text output of a node, and its plot, shown on the node after it has run, until it runs again. */
import { isOn, language, onServerEvent, rootGraph, tellAgain } from "../page/comfyui.mjs";
import { inLanguage } from "./translation.mjs";
import { classOf, nodeByExecutionId } from "../page/graph.mjs";
import { MEMORY } from "./memory.mjs";
import { panelOf } from "../page/panel.mjs";
import { plotLine } from "./plots.mjs";
import { Results, laterOf } from "./results.mjs";
import { REPORTS } from "../page/settings.mjs";

const AS_THEY_ARE = ["ZImagePrompt", "ZImageConvertLora", "ZImageCaption"]; // whose texts are the artist's own

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addReport(node, panel) {
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{text?: unknown[], zimage_plot?: any[]} | null} */ output) {
    previous?.apply(this, arguments);
    if (!output) return; // taken from the cache, and so is what stands there
    const lines = output.text?.join("\n").split("\n") ?? [];
    const shown = AS_THEY_ARE.includes(classOf(node)) ? "en" : language();
    const text = lines.map((line) => inLanguage(line, shown)).join("\n");
    panel.show("report", text && isOn(REPORTS) ? { text } : null);
    const [plot] = output.zimage_plot ?? [];
    panel.show("plot", plot && isOn(REPORTS) ? plotLine(plot, (each) => inLanguage(each, shown)) : null);
  };
}

/** A node without anything to report sends no output, so an earlier report goes when the node begins. */
export function watchReports() {
  onServerEvent("executing", (id) => {
    const node = id == null ? null : nodeByExecutionId(rootGraph(), id);
    for (const line of ["report", "plot", MEMORY]) if (node) panelOf(node)?.show(line, null);
  });
}

/** A result stays in view when ComfyUI then repeats what the nodes it is made of told. */
export function watchResults() {
  const results = new Results();
  onServerEvent("execution_start", () => results.clear());
  onServerEvent("executed", (told) => {
    results.add(told);
    const later = laterOf(told);
    if (later) tellAgain(later);
  });
  onServerEvent("execution_success", () => results.hidden().forEach(tellAgain));
}
