// @ts-check
/** What the server knows of LoRA files: trigger words and a small picture. Each file is asked about once. */
import { request } from "../page/comfyui.mjs";

/** @typedef {{words: string[], preview: string}} Card preview: a data URI, or "" */

/** @type {Card} */
const EMPTY = { words: [], preview: "" };
/** @type {Map<string, Card>} by file */
const known = new Map();

/** Whether a file was asked about. @param {string} file */
export function isKnown(file) {
  return known.has(file);
}

/** What the server told of a file; nothing if it was not asked. @param {string} file */
export function knownCard(file) {
  return known.get(file) ?? EMPTY;
}

/** Ask about files; whether the server answered for each. @param {string[]} files */
export async function learnCards(files) {
  const answers = files.map(async (file) => {
    const { data, isOffline } = await request("lora", { file });
    if (!isOffline) known.set(file, data ?? EMPTY);
    return !isOffline;
  });
  return (await Promise.all(answers)).every((isAnswered) => isAnswered);
}
