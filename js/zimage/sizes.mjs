// @ts-check
/** Width and height from a ratio and an area, as Z-Image Empty Latent has them. Pure. */

const SIDE_MULTIPLE = 16;
const MEGAPIXEL = 1024 * 1024;

/** @typedef {{width: number, height: number}} Size */

/**
 * Both sides of "16:9", or null if the text is no ratio.
 * @param {unknown} text
 * @returns {[number, number] | null}
 */
export function parseRatio(text) {
  const found = /^(\d+):(\d+)$/.exec(String(text));
  return found && Number(found[1]) && Number(found[2]) ? [Number(found[1]), Number(found[2])] : null;
}

/**
 * Sides in pixels nearest to a ratio and an area, both multiples of 16.
 * @param {[number, number]} ratio
 * @param {number} megapixels
 * @returns {Size}
 */
export function sizeOf([across, down], megapixels) {
  const unit = Math.sqrt((megapixels * MEGAPIXEL) / (across * down));
  return { width: side(across * unit), height: side(down * unit) };
}

/**
 * The size of a drawing of a ratio that fits a square.
 * @param {[number, number]} ratio
 * @param {number} within
 * @returns {Size}
 */
export function drawnIn([across, down], within) {
  const unit = within / Math.max(across, down);
  return { width: across * unit, height: down * unit };
}

/** @param {number} pixels */
function side(pixels) {
  return Math.max(SIDE_MULTIPLE, toEven(pixels / SIDE_MULTIPLE) * SIDE_MULTIPLE);
}

/** Halves go to the even neighbour, as Python rounds. @param {number} value */
function toEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
