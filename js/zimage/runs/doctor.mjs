// @ts-check
/** What Z-Image Doctor found in the last run, under the node and in the page's language. */
import { isOn, language, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { inLanguage } from "./errors.mjs";
import { nodeByExecutionId } from "../page/graph.mjs";
import { REPORTS } from "../page/settings.mjs";

export const DOCTOR = "ZImageDoctor";

/** @type {WeakMap<object, import("../page/panel.mjs").Panel>} */
const panels = new WeakMap();

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addFindings(node, panel) {
  panels.set(node, panel);
}

/** The server tells at the end of a run; an empty text is a run without findings. */
export function watchDoctor() {
  onServerEvent("zimage_doctor", (/** @type {{node: string, text: string}} */ { node: id, text }) => {
    const node = nodeByExecutionId(rootGraph(), id);
    const panel = node && panels.get(node);
    if (!panel) return;
    const said = text.split("\n").map((line) => inLanguage(line, language()));
    panel.show("found", text && isOn(REPORTS) ? { text: said.join("\n"), title: text, tone: "warning" } : null);
  });
}
