// @ts-check
/** Time left on a node while it draws or reads a large file, from how long its steps have taken. */
import { isOn, message, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { nodeByExecutionId } from "../page/graph.mjs";
import { inWords, timeLeft } from "./pace.mjs";
import { panelOf } from "../page/panel.mjs";
import { EVALUATIONS } from "../page/settings.mjs";

const SHORTEST = 3000; // milliseconds; a line that goes at once only flickers

/** @typedef {import("./pace.mjs").Step} Step */

/** @type {WeakMap<object, Step>} */
const firstSteps = new WeakMap();

/** ComfyUI tells each step of each node, and which node runs next; none when a run has ended, well or not. */
export function watchTimeLeft() {
  /** @type {any} */
  let running = null;
  onServerEvent("progress", ({ node, value, max }) => {
    const drawing = node == null ? null : nodeByExecutionId(rootGraph(), node);
    if (drawing) showProgress(drawing, { value, at: performance.now() }, max);
  });
  onServerEvent("executing", (id) => {
    if (running) forget(running);
    running = id == null ? null : nodeByExecutionId(rootGraph(), id);
  });
}

/** @param {any} node @param {Step} now @param {number} total */
function showProgress(node, now, total) {
  const panel = panelOf(node);
  if (!panel || !isOn(EVALUATIONS)) return;
  const first = firstSteps.get(node);
  if (!first || now.value <= first.value) firstSteps.set(node, now); // another run, or another sheet of tiles
  const left = timeLeft(first, now, total);
  const isWorth = left !== null && left > 0 && (left >= SHORTEST || panel.has("left"));
  panel.show("left", isWorth ? { text: message("left", { time: inWords(left) }) } : null);
}

/** @param {any} node */
function forget(node) {
  firstSteps.delete(node);
  panelOf(node)?.show("left", null);
}
