// @ts-check
/** What the server knows of model files: release, and the size a model was made for. Each file is asked about once. */
import { request } from "../page/comfyui.mjs";

/** @typedef {import("../sizes/sizes.mjs").Native} Native */
/** @typedef {{release?: string, native?: Native}} Facts */

export const MODEL_FILES = ["model_name", "unet_name"];

/** @type {Map<string, Facts>} by file */
const known = new Map();

/**
 * The facts of a file; undefined while the server is offline.
 * @param {string} file
 * @returns {Promise<Facts | undefined>}
 */
export async function factsOf(file) {
  if (!file) return {};
  if (!known.has(file)) {
    const { data, isOffline } = await request("release", { file });
    if (isOffline) return undefined;
    known.set(file, data ?? {});
  }
  return known.get(file);
}

/** A release text that was requested before; menus cannot await one. @param {string} file */
export function knownRelease(file) {
  return known.get(file)?.release ?? "";
}
