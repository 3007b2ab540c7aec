// @ts-check
/**
 * The text of Z-Image LoRA List as rows, and changes of it. A change touches its own line alone, and of that line only
 * what it is about: spaces, notes, and whatever stands after the strength stay as they were written. Pure.
 */

/** @typedef {{mark: string, name: string, colon: string, strength: string, rest: string}} Pieces of a line; joined, they are it */
/**
 * @typedef {object} Row
 * @property {number} line from 0
 * @property {boolean} isOn
 * @property {string} name of a file below models/loras, with "/" between folders
 * @property {number} strength NaN where the text has no number
 * @property {string} written what stands in the place of the strength
 * @property {string} rest what stands after the strength
 * @property {boolean} isRead whether the node can read that: another strength, a part of the steps, factors for blocks
 * @property {string} note the text of a line that begins with # and names no file; "" for every other
 */

const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/; // where Python's str.splitlines divides
const FILE = /\.(?:safetensors|sft|ckpt|pth?|pt2|bin|pkl)$/i; // the endings that ComfyUI lists
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])/i;
const OFF = "# ";
const AMOUNT = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const PART = String.raw`(\d+\.?\d*|\.\d+)`; // of the sampling
const FACTOR = String.raw`\s+(?:\d+(?:-\d+)?|noise_refiner|context_refiner|siglip_refiner|rest)\s*=\s*${AMOUNT}`;
const REST = new RegExp(
  String.raw`^\s*(?:>\s*${AMOUNT}\s*)?(?:@\s*${PART}\s*-\s*${PART}\s*)?(?:\bblocks(?:${FACTOR})+\s*)?$`,
);
const DIVIDED = /^(.*)(?::|(?<=\.safetensors ?)：)/s; // the last colon, as names may hold colons; a Chinese one only after a file's ending

/** The lines that are not empty. @param {string} text @returns {Row[]} */
export function rowsOf(text) {
  return linesOf(text).flatMap((each, line) => (each.trim() ? [rowOf(line, each)] : []));
}

/** @param {string} text @param {number} line @param {boolean} isOn */
export function withSwitch(text, line, isOn) {
  return withPieces(text, line, ({ mark }) => ({ mark: isOn ? mark.replace(/#.*/s, "") : mark + OFF }));
}

/** @param {string} text @param {number} line @param {number} strength */
export function withStrength(text, line, strength) {
  return withPieces(text, line, ({ colon }) => ({ colon: colon || " : ", strength: String(strength) }));
}

/** @param {string} text @param {number} line @param {string} name */
export function withName(text, line, name) {
  return withPieces(text, line, () => ({ name }));
}

/** Whether a list can hold a name: one that begins with # would be off. @param {string} name */
export function canHold(name) {
  const [row, ...others] = rowsOf(withRow("", name));
  return row.isOn && row.name === name && others.length === 0;
}

/** The text with a row more at its end, at strength 1. @param {string} text @param {string} name */
export function withRow(text, name) {
  return [...linesOf(text.trimEnd()), `${name} : 1`].filter((line, index) => line || index).join("\n");
}

/** @param {string} text @param {number} line */
export function withoutRow(text, line) {
  return linesOf(text)
    .filter((_, index) => index !== line)
    .join("\n");
}

/**
 * The text with a row in the place of the one before or after it, and that one in its place.
 * @param {string} text
 * @param {number} line
 * @param {-1 | 1} direction
 */
export function withRowMoved(text, line, direction) {
  const lines = linesOf(text);
  const places = rowsOf(text).map((row) => row.line);
  const other = places[places.indexOf(line) + direction];
  if (other === undefined) return text;
  [lines[line], lines[other]] = [lines[other], lines[line]];
  return lines.join("\n");
}

/** The names that contain every word of a search, in either case. @param {string[]} names @param {string} search */
export function matching(names, search) {
  const words = search.toLowerCase().split(/\s+/);
  return names.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
}

/** @param {string} text */
function linesOf(text) {
  return text.split(LINE_END);
}

/** @param {number} line @param {string} written @returns {Row} */
function rowOf(line, written) {
  const { mark, name, colon, strength, rest } = piecesOf(written);
  const isOn = !mark.includes("#");
  const isNote = !isOn && !FILE.test(name) && !NUMBER.test(strength);
  return {
    line,
    isOn,
    name: name.replaceAll("\\", "/"),
    strength: numberOf(colon, strength),
    written: strength,
    rest: rest.trim(),
    isRead: isRead(rest),
    note: isNote ? written.trim() : "",
  };
}

/** A strength is 1 where none is given. @param {string} colon @param {string} strength */
function numberOf(colon, strength) {
  if (!colon) return 1;
  return NUMBER.test(strength) ? Number(strength) : NaN;
}

/** @param {string} rest */
function isRead(rest) {
  const match = REST.exec(rest);
  if (!match) return false;
  const [, start = "0", end = "1"] = match;
  return Number(start) <= Number(end) && Number(end) <= 1;
}

/** @param {string} written @returns {Pieces} */
function piecesOf(written) {
  const [, mark, body] = /** @type {string[]} */ (/^(\s*(?:#[#\s]*)?)(.*)$/s.exec(written));
  const name = (DIVIDED.exec(body)?.[1] ?? body).trimEnd();
  const [colon] = /** @type {string[]} */ (/^\s*[:：]?\s*/.exec(body.slice(name.length)));
  const given = body.slice(name.length + colon.length);
  const [strength] = NUMBER.exec(given) ?? /** @type {string[]} */ (/^\S*/.exec(given));
  return { mark, name, colon, strength, rest: given.slice(strength.length) };
}

/** @param {string} text @param {number} line @param {(pieces: Pieces) => Partial<Pieces>} change */
function withPieces(text, line, change) {
  const lines = linesOf(text);
  const pieces = piecesOf(lines[line]);
  const { mark, name, colon, strength, rest } = { ...pieces, ...change(pieces) };
  lines[line] = mark + name + colon + strength + rest;
  return lines.join("\n");
}
