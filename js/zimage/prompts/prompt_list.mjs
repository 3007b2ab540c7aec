// @ts-check
/** The last prompts that were run: newest first, each once. Pure. */

const MOST = 20;
const LONGEST = 20000; // characters of a prompt that is kept
const LABEL = 60; // characters by which a prompt is told from others

/**
 * The list after a run of these prompts.
 * @param {string[]} list
 * @param {unknown[]} prompts
 * @returns {string[]}
 */
export function afterRun(list, prompts) {
  return [...new Set([...prompts.filter(isPrompt), ...list])].slice(0, MOST);
}

/** @param {unknown} value @returns {value is string} */
function isPrompt(value) {
  return typeof value === "string" && value.trim() !== "" && value.length <= LONGEST;
}

/** The list of a file as it was read; an empty one of a file that holds something else. @param {unknown} value */
export function asList(value) {
  return Array.isArray(value) ? afterRun([], value) : [];
}

/** A prompt's beginning, on one line. @param {string} prompt */
export function labelOf(prompt) {
  const letters = [...prompt.replace(/\s+/g, " ").trim()];
  return letters.length > LABEL ? `${letters.slice(0, LABEL).join("")}…` : letters.join("");
}
