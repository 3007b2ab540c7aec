// @ts-check
/** Where a plot's bars, lines and words lie, as elements of an SVG. Pure. */

/** @typedef {{name: string, points: [number, number][], scale: "left" | "right"}} Line */
/** @typedef {{bars: [string, number][], lines: Line[], axis: string, limit: number | null, chosen: number | null}} Plot as zimage_core/grid/plotted.py */
/** @typedef {[tag: string, attributes: Record<string, string | number>, text?: string]} Shape */

export const WIDTH = 260;
export const COLOURS = ["#3f9ae0", "#e0803f", "#4fae5c", "#b070d0", "#c0a030", "#d05070"];
const ROW = 16; // of a bar, or of a name above lines
const MOST_ROWS = 16; // more bars are a line
const LETTER = 5.6; // pixels, about
const NUMBER = 38; // pixels of a number
const LETTERS = 16; // of a bar's label
const TALL = 110; // of lines
const LEAST_GAP = 26; // between numbers of the axis

/** @param {Plot} plot @returns {{height: number, shapes: Shape[]}} */
export function shapesOf(plot) {
  if (plot.lines.length) return linesOf(plot);
  if (plot.bars.length <= MOST_ROWS) return barsOf(plot.bars);
  const points = plot.bars.map(([, value], i) => /** @type {[number, number]} */ ([i + 1, value]));
  return linesOf({ ...plot, lines: [{ name: "", points, scale: "left" }] });
}

/** What stands in place of a plot for who cannot see it. @param {Plot} plot */
export function words(plot) {
  const lines = plot.lines.map(({ name, points }) => {
    const told = points.map(([x, y]) => `${plot.axis} ${short(x)}: ${short(y)}`.trim()).join(", ");
    return name ? `${name}: ${told}` : told;
  });
  return [...plot.bars.map(([label, value]) => `${label}: ${short(value)}`), ...lines].join("; ");
}

/** @param {[string, number][]} bars @returns {{height: number, shapes: Shape[]}} */
function barsOf(bars) {
  const values = bars.map(([, value]) => value);
  const names = bars.map(([label]) => (label.length > LETTERS ? `${label.slice(0, LETTERS - 1)}…` : label));
  const edge = 4 + LETTER * Math.max(...names.map(widthOf));
  const x = scale([0, ...values], edge + 6, WIDTH - NUMBER);
  const shapes = values.flatMap((value, i) => {
    const middle = ROW * i + ROW / 2;
    const [from, to] = [x(0), x(value)].sort((one, other) => one - other);
    return /** @type {Shape[]} */ ([
      text(edge, middle + 4, names[i], "end"),
      ["rect", { x: from, y: middle - 5, width: Math.max(1, to - from), height: 10, fill: COLOURS[0] }],
      text(to + 4, middle + 4, short(value)),
    ]);
  });
  return { height: ROW * bars.length + 2, shapes };
}

/** Of a word in letters; a Chinese one takes two. @param {string} word */
function widthOf(word) {
  return [...word].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0);
}

/** @param {Plot} plot @returns {{height: number, shapes: Shape[]}} */
function linesOf({ lines, axis, limit, chosen }) {
  const named = lines.filter(({ name }) => name);
  const top = ROW * named.length + 8;
  const bottom = top + TALL;
  const has = { left: lines.some((each) => each.scale === "left"), right: lines.some((each) => each.scale === "right") };
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((one, other) => one - other);
  const x = scale(xs, has.left ? NUMBER : 10, WIDTH - (has.right ? NUMBER : 10));
  /** @param {"left" | "right"} side */
  const heights = (side) => lines.filter((each) => each.scale === side).flatMap(({ points }) => points.map(([, y]) => y));
  const right = [...heights("right"), ...(limit === null ? [] : [limit])];
  const y = { left: scale(heights("left"), bottom, top), right: scale(right, bottom, top) };
  /** @type {Shape[]} */
  const shapes = [["line", { x1: x(xs[0]), x2: x(xs[xs.length - 1]), y1: bottom + 4, y2: bottom + 4, class: "zimage-plot-axis" }]];
  if (chosen !== null) shapes.push(["line", { x1: x(chosen), x2: x(chosen), y1: top, y2: bottom, class: "zimage-plot-chosen" }]);
  if (limit !== null) {
    const at = y.right(limit);
    shapes.push(["line", { x1: x(xs[0]), x2: x(xs[xs.length - 1]), y1: at, y2: at, class: "zimage-plot-limit", stroke: COLOURS[1] }]);
  }
  lines.forEach((line, i) => shapes.push(...drawn(line, COLOURS[i % COLOURS.length], x, y[line.scale])));
  named.forEach(({ name }, i) => {
    const colour = COLOURS[lines.indexOf(named[i]) % COLOURS.length];
    shapes.push(["rect", { x: NUMBER, y: ROW * i + 6, width: 12, height: 4, fill: colour }], text(NUMBER + 18, ROW * i + 12, name));
  });
  if (has.left) shapes.push(...ends(heights("left"), y.left, NUMBER - 6, "end"));
  if (has.right) shapes.push(...ends(right, y.right, WIDTH - NUMBER + 6, "start"));
  return { height: bottom + (axis ? 34 : 20), shapes: [...shapes, ...axisWords(xs, x, axis, bottom + 17)] };
}

/** A line with its points. @param {Line} line @param {string} colour @param {(value: number) => number} x @param {(value: number) => number} y @returns {Shape[]} */
function drawn({ points }, colour, x, y) {
  const path = points.map(([across, up], i) => `${i ? "L" : "M"}${round(x(across))} ${round(y(up))}`).join("");
  const dots = points.map(([across, up]) => /** @type {Shape} */ (["circle", { cx: x(across), cy: y(up), r: 2.5, fill: colour }]));
  return [["path", { d: path, stroke: colour, class: "zimage-plot-line" }], ...dots];
}

/** The least and the greatest number of a scale. @param {number[]} values @param {(value: number) => number} y @param {number} x @param {string} anchor */
function ends(values, y, x, anchor) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (low === high ? [low] : [low, high]).map((value) => text(x, y(value) + 4, short(value), anchor));
}

/** Numbers below the axis, as many as there is room for, and its name. @param {number[]} xs @param {(value: number) => number} x @param {string} axis @param {number} y */
function axisWords(xs, x, axis, y) {
  /** @type {number[]} */
  const shown = [];
  for (const value of xs) {
    if (!shown.length || x(value) - x(shown[shown.length - 1]) >= LEAST_GAP) shown.push(value);
  }
  const numbers = shown.map((value) => text(x(value), y, short(value), "middle"));
  return axis ? [...numbers, text((x(xs[0]) + x(xs[xs.length - 1])) / 2, y + 14, axis, "middle")] : numbers;
}

/** From values to pixels; equal values stand in the middle. @param {number[]} values @param {number} first @param {number} last */
function scale(values, first, last) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (/** @type {number} */ value) =>
    round(high === low ? (first + last) / 2 : first + ((value - low) / (high - low)) * (last - first));
}

/** @param {number} x @param {number} y @param {string} word @param {string} [anchor] @returns {Shape} */
function text(x, y, word, anchor = "start") {
  return ["text", { x: round(x), y: round(y), "text-anchor": anchor }, word];
}

/** @param {number} value */
function short(value) {
  return String(Number(value.toPrecision(3)));
}

/** @param {number} value */
function round(value) {
  return Math.round(10 * value) / 10;
}
