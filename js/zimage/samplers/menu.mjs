// @ts-check
/** Menu entries of samplers that apply the settings of a released model. */
import { classOf, loaderFile } from "../page/graph.mjs";
import { isOn, message } from "../page/comfyui.mjs";
import { releaseOf, settingsFor } from "./presets.mjs";
import { MODEL_FILES, knownRelease } from "./releases.mjs";
import { applySettings } from "./sampler.mjs";
import { MENU } from "../page/settings.mjs";

/** @type {("turbo" | "base")[]} */
const NAMES = ["turbo", "base"];

/** @param {any} node */
export function menuItems(node) {
  const nodeClass = classOf(node);
  if (!isOn(MENU) || !hasEntries(node, nodeClass)) return [];
  return NAMES.filter((name) => Object.keys(settingsFor(nodeClass, name)).length).map((name) => ({
    content: `Z-Image: ${message(name)}`,
    callback: () => applySettings(node, nodeClass, name),
  }));
}

/** A stock sampler has entries only if it runs a Z-Image model. @param {any} node @param {string} nodeClass */
function hasEntries(node, nodeClass) {
  if (nodeClass.startsWith("ZImage")) return true;
  return releaseOf(knownRelease(loaderFile(node, "model", MODEL_FILES))) !== "other";
}
