// @ts-check
/** How long a run will take at its pace so far. Pure. */

/** @typedef {{value: number, at: number}} Step a step that is done, and when */

/**
 * Milliseconds left at the pace of the steps so far; null before there is one. The first step is where time begins: it
 * waits for the model to load.
 * @param {Step | undefined} first
 * @param {Step} now
 * @param {number} total steps
 */
export function timeLeft(first, now, total) {
  if (!first || now.value <= first.value) return null;
  return ((now.at - first.at) / (now.value - first.value)) * (total - now.value);
}

/** Seconds, or minutes and seconds from one minute on. @param {number} milliseconds */
export function inWords(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
