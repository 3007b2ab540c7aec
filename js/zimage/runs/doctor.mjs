// @ts-check
/** What Z-Image Doctor found in the last run, under the node and in the page's language. */
import { isOn, language, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { inLanguage } from "./translation.mjs";
import { nodeByExecutionId } from "../page/graph.mjs";
import { panelOf } from "../page/panel.mjs";
import { REPORTS } from "../page/settings.mjs";

/** The server tells at the end of a run; an empty text is a run without findings. */
export function watchDoctor() {
  onServerEvent("zimage_doctor", (/** @type {{node: string, text: string}} */ { node: id, text }) => {
    const node = nodeByExecutionId(rootGraph(), id);
    const said = text.split("\n").map((line) => inLanguage(line, language()));
    const line = text && isOn(REPORTS) ? { text: said.join("\n"), title: text, tone: /** @type {const} */ ("warning") } : null;
    if (node) panelOf(node)?.show("found", line);
  });
}
