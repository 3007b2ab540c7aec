// @ts-check
/** Lines of text that clicks write: a person's verdicts on copies, and conditions that leave pictures out. Pure. */

/** @typedef {"keep" | "drop"} Verdict */

/** The verdicts by a picture's name; of several the last one counts. @param {string} text @returns {Map<string, Verdict>} */
export function verdictsIn(text) {
  /** @type {Map<string, Verdict>} */
  const found = new Map();
  for (const line of linesOf(text)) {
    const [, verdict, name] = /^(keep|drop) +(.+)$/.exec(line) ?? [];
    if (name) found.set(name, /** @type {Verdict} */ (verdict));
  }
  return found;
}

/**
 * The text with another verdict on a picture; none is written where it is what the search says itself.
 * @param {string} text @param {string} name @param {Verdict} verdict @param {Verdict} proposed
 */
export function withVerdict(text, name, verdict, proposed) {
  const others = linesOf(text).filter((line) => !verdictsIn(line).has(name));
  return [...others, ...(verdict === proposed ? [] : [`${verdict} ${name}`])].join("\n");
}

/** The text with a condition more, or without it. @param {string} text @param {string} condition */
export function toggled(text, condition) {
  const others = linesOf(text).filter((line) => !isSame(line, condition));
  return (isThere(text, condition) ? others : [...others, condition]).join("\n");
}

/** Whether a condition stands in the text. @param {string} text @param {string} condition */
export function isThere(text, condition) {
  return linesOf(text).some((line) => isSame(line, condition));
}

/** @param {string} one @param {string} other */
function isSame(one, other) {
  return one.replaceAll(" ", "") === other.replaceAll(" ", "");
}

/** @param {string} text */
function linesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}
