// @ts-check
/** The text and bar of the token meter, from the server's count. Pure. */
import { format } from "../page/messages.mjs";

/** @typedef {{tokens: number, limit: number, beyond: string, unknown: string[]}} Length */
/** @typedef {{text: string, isOver: boolean, fill: number}} MeterLine fill: how full the bar is, 0 to 1 */

const MAX_SHOWN = 80; // characters of the text beyond the limit

/**
 * @param {import("../page/messages.mjs").Language} language
 * @param {Length} length
 * @param {string} prompt
 * @param {boolean} isCut whether the node cuts at the limit
 * @returns {MeterLine}
 */
export function meterLine(language, length, prompt, isCut) {
  const about = hasChoices(prompt) ? "≈ " : "";
  const count = format(language, "tokens", { about, used: length.tokens, limit: length.limit });
  const isOver = length.tokens > length.limit;
  const fill = Math.min(1, length.tokens / length.limit);
  const overflow = isOver ? `${separator(language)}${overflowText(language, length, isCut)}` : "";
  return { text: `${count}${overflow}`, isOver, fill };
}

/**
 * What the built-in model does not know of a prompt, and what it can draw; null if it knows every word.
 * @param {import("../page/messages.mjs").Language} language
 * @param {string[]} words
 */
export function unknownText(language, words) {
  const quoted = words.join(language === "zh" ? "、" : ", ");
  return words.length ? format(language, "unknownWords", { words: shortened(quoted) }) : null;
}

/**
 * Whether the prompt has choices {a|b}, one of which ComfyUI picks when it is queued, so that the count may change.
 * @param {string} prompt
 */
export function hasChoices(prompt) {
  return /\{[^{}]*\|[^{}]*\}/.test(prompt);
}

/** @param {import("../page/messages.mjs").Language} language @param {Length} length @param {boolean} isCut */
function overflowText(language, length, isCut) {
  if (!length.beyond) return format(language, "closing");
  return format(language, isCut ? "cut" : "beyond", { words: shortened(length.beyond.trim()) });
}

/** @param {string} words */
function shortened(words) {
  const letters = [...words]; // code points, so that no surrogate pair is split
  return letters.length > MAX_SHOWN ? `${letters.slice(0, MAX_SHOWN).join("")}…` : words;
}

/** @param {import("../page/messages.mjs").Language} language */
function separator(language) {
  return language === "zh" ? "，" : ", ";
}
