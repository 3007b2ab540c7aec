// @ts-check
/** The last prompts that were run, under prompt boxes, to put one back; kept in the user's own data in ComfyUI. */
import { isOn, message, onServerEvent, readUserFile, rootGraph, writeUserFile } from "../page/comfyui.mjs";
import { allNodes, classOf } from "../page/graph.mjs";
import { METERED } from "./meter.mjs";
import { afterRun, asList, labelOf } from "./prompt_list.mjs";
import { HISTORY } from "../page/settings.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */

const FILE = "zimage-prompts.json";
const ACTIVE = 0; // mode of a node that is neither muted nor bypassed

/** The widget of a node class that holds its prompt. @type {Record<string, string>} */
const BOXES = { ...Object.fromEntries(METERED.map((name) => [name, "prompt"])), ZImagePrompt: "text" };
export const WITH_HISTORY = Object.keys(BOXES);

/** @type {string[]} */
let prompts = [];
/** @type {Promise<void> | undefined} */
let loading;

async function load() {
  prompts = asList(await readUserFile(FILE));
}

/** Another page of the same user may have written since, so the file is read again before it is written. */
export function watchRuns() {
  onServerEvent("execution_start", async () => {
    if (!isOn(HISTORY)) return;
    const run = promptsOfGraph();
    await load();
    const list = afterRun(prompts, run);
    if (JSON.stringify(list) === JSON.stringify(prompts)) return;
    prompts = list;
    await writeUserFile(FILE, list);
  });
}

/** What stands in the boxes now; a box that another node fills is not one of them. */
function promptsOfGraph() {
  const nodes = allNodes(/** @type {any} */ ({ graph: rootGraph() }));
  return nodes
    .filter((node) => BOXES[classOf(node)] && (node.mode ?? ACTIVE) === ACTIVE)
    .map((node) => valueOf(node, BOXES[classOf(node)]));
}

/** @param {any} node @param {string} nodeClass @param {Panel} panel */
export function addHistory(node, nodeClass, panel) {
  const box = BOXES[nodeClass];
  let isOpen = false;
  let closedHeight = 0;
  loading ??= load();

  /** @param {boolean} open */
  function turn(open) {
    if (open) closedHeight = node.size[1];
    isOpen = open;
    show();
    if (!open) node.setSize([node.size[0], closedHeight]);
  }

  function show() {
    const isShown = isOn(HISTORY) && prompts.length > 0 && typeof valueOf(node, box) === "string";
    const text = message("lastPrompts");
    const toggle = { text: `${text} ${isOpen ? "▴" : "▾"}`, title: text, isOn: isOpen, onClick: () => turn(!isOpen) };
    const buttons = isOpen ? [toggle, ...prompts.map(button)] : [toggle];
    panel.show("history", isShown ? { text: "", buttons } : null);
  }

  /** @param {string} prompt */
  function button(prompt) {
    const onClick = () => {
      setValues(node, { [box]: prompt });
      turn(false);
    };
    return { text: labelOf(prompt), title: prompt, onClick };
  }

  const state = () => JSON.stringify([isOn(HISTORY), typeof valueOf(node, box), isOpen, message("lastPrompts"), prompts]);
  watch({ node, state, update: show });
}
