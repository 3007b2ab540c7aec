// @ts-check
/** The only code that uses ComfyUI's frontend API: settings, routes, language, toasts, server messages. */
import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { format, languageOf } from "./messages.mjs";
import { ordered } from "./templates.mjs";

/** @param {string} id */
export function isOn(id) {
  return app.extensionManager.setting.get(id) !== false;
}

/** Whether nodes are drawn by LiteGraph, not by Nodes 2.0. */
export function isClassic() {
  return app.extensionManager.setting.get("Comfy.VueNodes.Enabled") !== true;
}

export function language() {
  return languageOf(app.extensionManager.setting.get("Comfy.Locale"));
}

/**
 * A text in the language set in ComfyUI.
 * @param {Parameters<typeof format>[1]} name
 * @param {Parameters<typeof format>[2]} [values]
 */
export function message(name, values) {
  return format(language(), name, values);
}

/**
 * The JSON response of one of the pack's routes; null if the server is offline or refuses the query, with its sentence.
 * @param {"tokens" | "evaluations" | "release" | "lora" | "arena" | "arena/vote" | "arena/undo" | "captions" | "captions/edit" | "captions/approve" | "captions/redo" | "thumbnails"} path
 * @param {Record<string, unknown>} query
 * @returns {Promise<{isOffline: boolean, data: any, refusal?: string}>}
 */
export async function request(path, query) {
  const body = JSON.stringify(query);
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await api.fetchApi(`/zimage/${path}`, { method: "POST", headers, body });
    if (response.status >= 500) return { isOffline: true, data: null };
    const told = await response.json();
    return response.ok ? { isOffline: false, data: told } : { isOffline: false, data: null, refusal: told.error };
  } catch {
    return { isOffline: true, data: null };
  }
}

/** Queue the workflow as far as one of its output nodes needs it. @param {{id: number | string, graph?: any}} node */
export async function queueNode(node) {
  const isOutermost = node.graph === rootGraph();
  await app.queuePrompt(0, 1, isOutermost ? [String(node.id)] : undefined);
}

/** The address of a picture in one of ComfyUI's folders. @param {{filename: string, subfolder: string, type: string}} picture */
export function pictureAddress(picture) {
  return api.apiURL(`/view?${new URLSearchParams(picture)}`);
}

/**
 * Names of the files in one of the folders below models, with "/" between folders; null if the server does not answer.
 * @param {string} folder
 * @returns {Promise<string[] | null>}
 */
export async function modelFiles(folder) {
  try {
    const response = await api.fetchApi(`/models/${folder}`);
    const names = response.ok ? await response.json() : null;
    return names?.map((/** @type {string} */ name) => name.replaceAll("\\", "/")) ?? null;
  } catch {
    return null;
  }
}

/** Whether App mode or its builder is open, which shows chosen widgets and no nodes. */
export function isAppMode() {
  const open = /** @type {any} */ (app.extensionManager).workflow?.activeWorkflow;
  return (open?.activeMode ?? open?.initialMode ?? "graph") !== "graph";
}

/** Run a function whose changes undo takes back as one. @param {() => void} change */
export function asOneStep(change) {
  app.canvas.emitBeforeChange();
  try {
    change();
  } finally {
    app.canvas.emitAfterChange();
  }
}

/** Let undo take back by itself what has changed since its last step, as a drag or what was typed. */
export function endStep() {
  asOneStep(() => {});
}

/** Let the wheel zoom over an element that lies on the classic canvas; Nodes 2.0 sees it by itself. @param {HTMLElement} element */
export function passWheel(element) {
  element.addEventListener("wheel", (event) => {
    if (isClassic()) app.canvas.processMouseWheel(event);
  });
}

/** The JSON of one of the user's own files in ComfyUI; null if it is not there, or not readable. @param {string} name */
export async function readUserFile(name) {
  try {
    const response = await api.getUserData(name);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Write one of the user's own files; without a server it is not written. @param {string} name @param {unknown} value */
export async function writeUserFile(name, value) {
  try {
    await api.storeUserData(name, value, { overwrite: true, stringify: true, throwOnError: false });
  } catch {
    return;
  }
}

/** Call a function with the data of every server message of a kind. @param {string} kind @param {(data: any) => void} call */
export function onServerEvent(kind, call) {
  api.addEventListener(kind, (/** @type {CustomEvent} */ event) => call(event.detail));
}

/**
 * Show what a node has put out without its last live preview, which ComfyUI leaves in place of it. Only the store of the
 * page knows previews; where a later page has another one, they stay, as they do on other nodes.
 * @param {any} node
 * @param {string} id its execution id
 * @param {object} output
 */
export function endPreview(node, id, output) {
  const page = /** @type {any} */ (document.getElementById("vue-app"))?.__vue_app__;
  const store = page?.config.globalProperties.$pinia?._s.get("nodeOutput");
  store?.removeNodeOutputsForNode?.(node);
  store?.setNodeOutputsByExecutionId?.(id, output);
}

/** Show once more what a node told. @param {import("../runs/results.mjs").Told} told */
export function tellAgain(told) {
  api.dispatchEvent(new CustomEvent("executed", { detail: told }));
}

/** The workflow's outermost graph. @returns {any} */
export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/**
 * What ComfyUI's last check of inputs before a run refused, by execution id; empty if nothing.
 * @returns {Record<string, {errors: {type: string, details: string}[]}>}
 */
export function inputErrors() {
  return app.lastNodeErrors ?? {};
}

/** The name of this pack's folder in custom_nodes, which ComfyUI serves under /extensions. */
export function packFolder() {
  return decodeURIComponent(/\/extensions\/([^/]+)\//.exec(import.meta.url)?.[1] ?? "");
}

/** Put a text on the clipboard; whether the browser allowed it, which plain http from another machine is not. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} summary @param {string} detail */
export function toast(summary, detail) {
  app.extensionManager.toast.add({ severity: "info", summary, detail, life: 4000 });
}

/** The template browser asks once, at its first opening, and shows the answer in its order: the page's one hook. */
export function orderTemplates() {
  const ask = api.getWorkflowTemplates.bind(api);
  api.getWorkflowTemplates = async () => ordered(await ask(), packFolder());
}
