// @ts-check
/** What a training takes of memory, and what would make it fit: on its node from before the first step until it runs again. */
import { isOn, language, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { inLanguage } from "./translation.mjs";
import { nodeByExecutionId } from "../page/graph.mjs";
import { panelOf } from "../page/panel.mjs";
import { REPORTS } from "../page/settings.mjs";

export const MEMORY = "memory"; // name of the line

const KIND = "zimage.memory"; // as in nodes/bridge/tasks/training/memory.py

export function watchMemory() {
  onServerEvent(KIND, (/** @type {{node: string, text: string}} */ { node: id, text }) => {
    const node = nodeByExecutionId(rootGraph(), id);
    const lines = text.split("\n").map((line) => inLanguage(line, language()));
    if (node && isOn(REPORTS)) panelOf(node)?.show(MEMORY, { text: lines.join("\n") });
  });
}
