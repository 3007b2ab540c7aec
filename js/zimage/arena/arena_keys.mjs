// @ts-check
/** What a key means in an arena, and what is said of a vote and of a standing. Pure. */

/** @typedef {"left" | "right" | "draw"} Choice */
/** @typedef {{contestant: string, rating: number, low: number, high: number, wins: number, draws: number, losses: number}} Standing */

/** @typedef {Choice | "undo" | "enlarge"} Act */

/** @type {Record<string, Act>} */
const KEYS = {
  ArrowLeft: "left",
  1: "left",
  ArrowRight: "right",
  2: "right",
  0: "draw",
  " ": "draw",
  z: "undo",
  Z: "undo",
  f: "enlarge",
  F: "enlarge",
};

/**
 * What a key asks for; null for keys of the page, such as those with Ctrl.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event
 */
export function meaningOf({ key, ctrlKey, metaKey, altKey }) {
  return ctrlKey || metaKey || altKey || !Object.hasOwn(KEYS, key) ? null : KEYS[key];
}

/**
 * Where the intervals of a standing lie on one scale from 0 to 1, so that rows can be compared by eye.
 * @param {Standing[]} standings
 * @returns {{from: number, to: number, at: number}[]}
 */
export function barsOf(standings) {
  const least = Math.min(...standings.map((each) => each.low));
  const width = Math.max(...standings.map((each) => each.high)) - least || 1;
  return standings.map(({ low, high, rating }) => ({
    from: (low - least) / width,
    to: (high - least) / width,
    at: (rating - least) / width,
  }));
}
