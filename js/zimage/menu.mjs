// @ts-check
/** Entries in the menu of samplers that set them to what a released model was made for. */
import { classOf, fileBehind } from "./graph.mjs";
import { isOn, tell } from "./host.mjs";
import { releaseOf, settingsFor } from "./presets.mjs";
import { MODEL_FILES, applySettings, knownRelease } from "./sampler.mjs";
import { MENU } from "./settings.mjs";

/** @type {("turbo" | "base")[]} */
const NAMES = ["turbo", "base"];

/** @param {any} node */
export function menuItems(node) {
  const nodeClass = classOf(node);
  if (!isOn(MENU) || !isOurs(node, nodeClass)) return [];
  return NAMES.filter((name) => Object.keys(settingsFor(nodeClass, name)).length).map((name) => ({
    content: `Z-Image: ${tell(name)}`,
    callback: () => applySettings(node, nodeClass, name),
  }));
}

/** A stock sampler gets entries only where it runs a Z-Image model. @param {any} node @param {string} nodeClass */
function isOurs(node, nodeClass) {
  if (nodeClass.startsWith("ZImage")) return true;
  return releaseOf(knownRelease(fileBehind(node, "model", MODEL_FILES))) !== "other";
}
