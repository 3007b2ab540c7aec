// @ts-check
/** Width and height from an aspect ratio and an area, computed as Z-Image Empty Latent does. Pure. */

const SIDE_MULTIPLE = 16;
const MEGAPIXEL = 1024 * 1024;

/** @typedef {{width: number, height: number}} Size */
/** @typedef {{side: number, shortest: number, longest: number}} Native the pixels a model was made for and can draw */

/**
 * The two numbers of a ratio such as "16:9", or null.
 * @param {unknown} text
 * @returns {[number, number] | null}
 */
export function parseRatio(text) {
  const match = /^(\d+):(\d+)$/.exec(String(text));
  return match && Number(match[1]) && Number(match[2]) ? [Number(match[1]), Number(match[2])] : null;
}

/**
 * Width and height in pixels nearest to a ratio and an area, both multiples of 16.
 * @param {[number, number]} ratio
 * @param {number} megapixels
 * @returns {Size}
 */
export function sizeOf([width, height], megapixels) {
  const unit = Math.sqrt((megapixels * MEGAPIXEL) / (width * height));
  return { width: toMultiple(width * unit), height: toMultiple(height * unit) };
}

/**
 * The largest size of a ratio that fits into a square.
 * @param {[number, number]} ratio
 * @param {number} squareSide
 * @returns {Size}
 */
export function fitInSquare([width, height], squareSide) {
  const unit = squareSide / Math.max(width, height);
  return { width: width * unit, height: height * unit };
}

/**
 * The size that a node's widgets give its latent, or null where they do not tell.
 * @param {Record<string, unknown>} values
 * @returns {Size | null}
 */
export function sizeFrom({ width, height, ratio, megapixels }) {
  if (typeof width === "number" && typeof height === "number") return { width, height };
  if (typeof megapixels !== "number" || megapixels <= 0) return null; // 0 is the picture's own size
  const sides = ratio === undefined ? /** @type {[number, number]} */ ([1, 1]) : parseRatio(ratio);
  return sides && sizeOf(sides, megapixels);
}

/**
 * Whether a size is none that a model draws well.
 * @param {Size} size
 * @param {Native} native
 */
export function isFar({ width, height }, { shortest, longest }) {
  return Math.min(width, height) < shortest || Math.max(width, height) > longest;
}

/**
 * Values of the widgets in `values` that give a square of a side.
 * @param {Record<string, unknown>} values
 * @param {number} side
 * @returns {Record<string, unknown>}
 */
export function valuesForSquare(values, side) {
  if ("width" in values) return { width: side, height: side };
  const megapixels = Math.ceil((side * side * 1000) / MEGAPIXEL) / 1000; // the widget's step
  return "ratio" in values ? { ratio: "1:1", megapixels } : { megapixels };
}

/** @param {number} pixels */
function toMultiple(pixels) {
  return Math.max(SIDE_MULTIPLE, roundHalfToEven(pixels / SIDE_MULTIPLE) * SIDE_MULTIPLE);
}

/** Python's round(). @param {number} value */
function roundHalfToEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
