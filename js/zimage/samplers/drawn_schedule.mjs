// @ts-check
/** Points of a drawn noise schedule and the sigmas they give, computed as Z-Image Draw Sigmas does. Pure. */

/** @typedef {[number, number]} Point part of the steps and sigma, both from 0 to 1 */

export const STRAIGHT = "0 1, 1 0";
const SEPARATORS = /[,;\n，；]/;
const GAP = 0.005; // least distance of points in both directions, of those that are drawn
const DECIMALS = 3;

/**
 * The points of a text such as "0 1, 0.5 0.85, 1 0", or null if they are no falling curve over all steps.
 * @param {unknown} text
 * @returns {Point[] | null}
 */
export function readPoints(text) {
  const pieces = String(text).split(SEPARATORS).map((piece) => piece.trim()).filter(Boolean);
  const points = pieces.map((piece) => piece.split(/\s+/).map(Number));
  if (points.length < 2 || points.some((each) => each.length !== 2 || !each.every(isLevel))) return null;
  const [first, last] = [points[0], points[points.length - 1]];
  if (first[0] !== 0 || last[0] !== 1) return null;
  const isFalling = points.slice(1).every(([part, sigma], i) => part > points[i][0] && sigma < points[i][1]);
  return isFalling ? /** @type {Point[]} */ (points) : null;
}

/** @param {number} value */
function isLevel(value) {
  return value >= 0 && value <= 1;
}

/** @param {Point[]} points */
export function writePoints(points) {
  return points.map((point) => point.map(rounded).join(" ")).join(", ");
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toFixed(DECIMALS));
}

/**
 * The points with one moved as far as its neighbours let it; the first and the last move only up and down.
 * @param {Point[]} points
 * @param {number} index
 * @param {Point} place
 * @returns {Point[]}
 */
export function withMoved(points, index, [part, sigma]) {
  const [before, after] = [points[index - 1], points[index + 1]];
  const x = before && after ? between(part, before[0] + GAP, after[0] - GAP) : points[index][0];
  const y = between(sigma, after ? after[1] + GAP : 0, before ? before[1] - GAP : 1);
  return [...points.slice(0, index), [rounded(x), rounded(y)], ...points.slice(index + 1)];
}

/** @param {number} value @param {number} least @param {number} most */
function between(value, least, most) {
  return Math.max(least, Math.min(value, most));
}

/**
 * The points with one more, and its index; null where there is no room for it.
 * @param {Point[]} points
 * @param {Point} place
 * @returns {{points: Point[], index: number} | null}
 */
export function withAdded(points, [part, sigma]) {
  const index = points.findIndex(([x]) => x > part);
  if (index < 1) return null;
  const [before, after] = [points[index - 1], points[index]];
  if (after[0] - before[0] < 2 * GAP || before[1] - after[1] < 2 * GAP) return null;
  /** @type {Point} */
  const added = [part, sigma];
  return { points: withMoved([...points.slice(0, index), added, ...points.slice(index)], index, added), index };
}

/** The points without one; the first and the last stay. @param {Point[]} points @param {number} index */
export function withRemoved(points, index) {
  return index > 0 && index < points.length - 1 ? points.filter((_, i) => i !== index) : points;
}

/**
 * The curve's sigmas at parts of the steps.
 * @param {Point[]} points
 * @param {number} shift
 * @param {number[]} parts
 */
export function sigmasAt(points, shift, parts) {
  /** @type {Point[]} */
  const levels = points.map(([part, sigma]) => [part, sigma / (shift - (shift - 1) * sigma)]);
  const slopes = slopesOf(levels);
  return parts.map((part) => {
    const level = heightAt(levels, slopes, part);
    return (shift * level) / (1 + (shift - 1) * level);
  });
}

/** @param {Point[]} points @param {number[]} slopes @param {number} position */
function heightAt(points, slopes, position) {
  const after = points.findIndex(([x]) => x > position);
  const i = after < 0 ? points.length - 2 : after - 1;
  const [[left, start], [right, end]] = [points[i], points[i + 1]];
  const width = right - left;
  const t = (position - left) / width;
  const rise = t * t * (3 - 2 * t);
  const bend = t * (1 - t) * width * ((1 - t) * slopes[i] - t * slopes[i + 1]);
  return start * (1 - rise) + end * rise + bend;
}

/** The slopes of PCHIP at falling points. @param {Point[]} points */
function slopesOf(points) {
  const widths = points.slice(1).map(([x], i) => x - points[i][0]);
  const secants = points.slice(1).map(([, y], i) => (y - points[i][1]) / widths[i]);
  const last = secants.length - 1;
  if (last === 0) return [secants[0], secants[0]];
  const inner = secants.slice(1).map((after, i) => {
    const [weight, other] = [2 * widths[i + 1] + widths[i], widths[i + 1] + 2 * widths[i]];
    return (weight + other) / (weight / secants[i] + other / after);
  });
  const first = endSlope(secants[0], secants[1], widths[0], widths[1]);
  return [first, ...inner, endSlope(secants[last], secants[last - 1], widths[last], widths[last - 1])];
}

/** @param {number} near @param {number} far @param {number} widthNear @param {number} widthFar */
function endSlope(near, far, widthNear, widthFar) {
  const slope = ((2 * widthNear + widthFar) * near - widthNear * far) / (widthNear + widthFar);
  return Math.min(slope, 0);
}
