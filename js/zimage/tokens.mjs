// @ts-check
/** What the meter under a prompt shows, from what the server counted. Pure. */
import { say } from "./words.mjs";

/** @typedef {{tokens: number, limit: number, beyond: string}} Length */
/** @typedef {{text: string, isOver: boolean, part: number}} Reading part: how full the bar is, 0 to 1 */

const SHOWN = 80; // characters of what lies beyond the limit

/**
 * @param {import("./words.mjs").Language} language
 * @param {Length} length
 * @param {string} prompt
 * @param {boolean} isCut whether the node cuts at the limit
 * @returns {Reading}
 */
export function reading(language, length, prompt, isCut) {
  const about = hasChoices(prompt) ? "≈ " : "";
  const count = say(language, "tokens", { about, used: length.tokens, limit: length.limit });
  const isOver = length.tokens > length.limit;
  const part = Math.min(1, length.tokens / length.limit);
  return { text: isOver ? `${count}${separator(language)}${fate(language, length, isCut)}` : count, isOver, part };
}

/**
 * Whether ComfyUI will pick among words of the prompt when it is queued, so that its length may change.
 * @param {string} prompt
 */
export function hasChoices(prompt) {
  return /\{[^{}]*\|[^{}]*\}/.test(prompt);
}

/** @param {import("./words.mjs").Language} language @param {Length} length @param {boolean} isCut */
function fate(language, length, isCut) {
  if (!length.beyond) return say(language, "closing");
  return say(language, isCut ? "cut" : "beyond", { words: shortened(length.beyond.trim()) });
}

/** @param {string} words */
function shortened(words) {
  const letters = [...words]; // whole characters, not halves of an emoji
  return letters.length > SHOWN ? `${letters.slice(0, SHOWN).join("")}…` : words;
}

/** @param {import("./words.mjs").Language} language */
function separator(language) {
  return language === "zh" ? "，" : ", ";
}
