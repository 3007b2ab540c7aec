// @ts-check
/** Where a plot's bars, lines and words lie, as elements of an SVG. Pure. */

/** @typedef {{name: string, points: [number, number][], scale: "left" | "right"}} Line */
/** @typedef {[number, number] | null} Interval */
/** @typedef {{bars: [string, number][], intervals: Interval[], lines: Line[], axis: string, measured: string, limit: number | null, limit_name: string, chosen: number | null}} Plot as zimage_core/grid/plotted.py */
/** @typedef {[tag: string, attributes: Record<string, string | number>, text?: string]} Shape */

export const WIDTH = 260;
export const COLOURS = ["#3f9ae0", "#e0803f", "#4fae5c", "#b070d0", "#c0a030", "#d05070"];
const ROW = 16; // of a bar, or of a name above lines
const MOST_ROWS = 16; // more bars are a line
const LETTER = 5.6; // pixels, about
const NUMBER = 38; // pixels of a number
const LETTERS = 16; // of a bar's label
const TALL = 110; // of lines
const APART = 5; // pixels between numbers of the axis
const AXIS_ROW = 11; // of numbers below the axis, which take two where they are close

/** @param {Plot} plot @returns {{height: number, shapes: Shape[]}} */
export function shapesOf(plot) {
  if (plot.lines.length) return linesOf(plot);
  if (plot.bars.length <= MOST_ROWS) return barsOf(plot);
  const points = plot.bars.map(([, value], i) => /** @type {[number, number]} */ ([i + 1, value]));
  return linesOf({ ...plot, lines: [{ name: "", points, scale: "left" }] });
}

/** What stands in place of a plot for who cannot see it. @param {Plot} plot */
export function words(plot) {
  const lines = plot.lines.map(({ name, points }) => {
    const told = points.map(([x, y]) => `${plot.axis} ${short(x)}: ${short(y)}`.trim()).join(", ");
    return name ? `${name}: ${told}` : told;
  });
  const bars = plot.bars.map(([label, value], i) => {
    const interval = plot.intervals[i];
    return `${label}: ${short(value)}` + (interval ? ` (${short(interval[0])} - ${short(interval[1])})` : "");
  });
  return [...bars, ...lines].join("; ");
}

/** @param {Plot} plot @returns {{height: number, shapes: Shape[]}} */
function barsOf({ bars, intervals }) {
  const values = bars.map(([, value]) => value);
  const names = bars.map(([label]) => (label.length > LETTERS ? `${label.slice(0, LETTERS - 1)}…` : label));
  const edge = 4 + LETTER * Math.max(...names.map(widthOf));
  const x = scale([0, ...values, ...intervals.flatMap((each) => each ?? [])], edge + 6, WIDTH - NUMBER);
  const shapes = values.flatMap((value, i) => {
    const middle = ROW * i + ROW / 2;
    const [from, to] = [x(0), x(value)].sort((one, other) => one - other);
    return /** @type {Shape[]} */ ([
      text(edge, middle + 4, names[i], "end"),
      ["rect", { x: from, y: middle - 5, width: Math.max(1, to - from), height: 10, fill: COLOURS[0] }],
      ...whisker(intervals[i] ?? null, x, middle),
      text(Math.max(to, x(intervals[i]?.[1] ?? value)) + 4, middle + 4, short(value)),
    ]);
  });
  return { height: ROW * bars.length + 2, shapes };
}

/** An interval, as a line with ends. @param {Interval} interval @param {(value: number) => number} x @param {number} middle @returns {Shape[]} */
function whisker(interval, x, middle) {
  if (!interval) return [];
  const [low, high] = interval.map(x);
  const path = `M${low} ${middle}H${high}M${low} ${middle - 3}V${middle + 3}M${high} ${middle - 3}V${middle + 3}`;
  return [["path", { d: path, class: "zimage-plot-interval" }]];
}

/** Of a word in letters; a Chinese one takes two. @param {string} word */
function widthOf(word) {
  return [...word].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0);
}

/** @param {Plot} plot @returns {{height: number, shapes: Shape[]}} */
function linesOf({ lines, axis, measured, limit, limit_name: limitName, chosen }) {
  const named = lines.filter(({ name }) => name);
  const above = measured ? ROW : 0;
  const top = above + ROW * named.length + 8;
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
  for (const each of xs) shapes.push(["line", { x1: x(each), x2: x(each), y1: bottom + 4, y2: bottom + 7, class: "zimage-plot-axis" }]);
  if (chosen !== null) shapes.push(["line", { x1: x(chosen), x2: x(chosen), y1: top, y2: bottom, class: "zimage-plot-chosen" }]);
  if (limit !== null) {
    const at = y.right(limit);
    shapes.push(["line", { x1: x(xs[0]), x2: x(xs[xs.length - 1]), y1: at, y2: at, class: "zimage-plot-limit", stroke: COLOURS[1] }]);
    const nameAt = at - ROW < top ? at + 11 : at - 3; // below the line where names of lines stand above it
    if (limitName) shapes.push(text(x(xs[0]) + 4, nameAt, `${limitName} ${short(limit)}`, "start", COLOURS[1]));
  }
  lines.forEach((line, i) => shapes.push(...drawn(line, COLOURS[i % COLOURS.length], x, y[line.scale])));
  named.forEach(({ name }, i) => {
    const colour = COLOURS[lines.indexOf(named[i]) % COLOURS.length];
    const at = above + ROW * i;
    shapes.push(["rect", { x: NUMBER, y: at + 6, width: 12, height: 4, fill: colour }], text(NUMBER + 18, at + 12, name));
  });
  if (measured) shapes.push(text(4, 12, measured));
  if (has.left) shapes.push(...ends(heights("left"), y.left, NUMBER - 6, "end", colourOf(lines, "left")));
  if (has.right) shapes.push(...ends(right, y.right, WIDTH - NUMBER + 6, "start", colourOf(lines, "right")));
  const { rows, shapes: numbers } = axisNumbers(xs, x, bottom + 17);
  const below = bottom + 20 + AXIS_ROW * (rows - 1);
  const name = axis ? [text((x(xs[0]) + x(xs[xs.length - 1])) / 2, below + 10, axis, "middle")] : [];
  return { height: below + (axis ? 14 : 0), shapes: [...shapes, ...numbers, ...name] };
}

/** Of the only line on a scale, where there are two scales; its numbers have it. @param {Line[]} lines @param {string} side */
function colourOf(lines, side) {
  const [line, ...others] = lines.filter((each) => each.scale === side);
  const isAlone = others.length === 0 && lines.length > 1;
  return isAlone ? COLOURS[lines.indexOf(line) % COLOURS.length] : "";
}

/** A line with its points. @param {Line} line @param {string} colour @param {(value: number) => number} x @param {(value: number) => number} y @returns {Shape[]} */
function drawn({ points }, colour, x, y) {
  const path = points.map(([across, up], i) => `${i ? "L" : "M"}${round(x(across))} ${round(y(up))}`).join("");
  const dots = points.map(([across, up]) => /** @type {Shape} */ (["circle", { cx: x(across), cy: y(up), r: 2.5, fill: colour }]));
  return [["path", { d: path, stroke: colour, class: "zimage-plot-line" }], ...dots];
}

/** The least and the greatest number of a scale. @param {number[]} values @param {(value: number) => number} y @param {number} x @param {string} anchor @param {string} colour */
function ends(values, y, x, anchor, colour) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (low === high ? [low] : [low, high]).map((value) => text(x, y(value) + 4, short(value), anchor, colour));
}

/** Numbers below the axis in one row, or in two where they are close; those for which neither has room are left out. @param {number[]} xs @param {(value: number) => number} x @param {number} y */
function axisNumbers(xs, x, y) {
  /** @type {Shape[]} */
  const shapes = [];
  const free = [-Infinity, -Infinity]; // where the next number of each row may begin
  for (const value of xs) {
    const half = (LETTER * short(value).length) / 2;
    const row = free.findIndex((from) => x(value) - half >= from);
    if (row < 0) continue;
    free[row] = x(value) + half + APART;
    shapes.push(text(x(value), y + AXIS_ROW * row, short(value), "middle"));
  }
  return { rows: free[1] > 0 ? 2 : 1, shapes };
}

/** From values to pixels; equal values stand in the middle. @param {number[]} values @param {number} first @param {number} last */
function scale(values, first, last) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (/** @type {number} */ value) =>
    round(high === low ? (first + last) / 2 : first + ((value - low) / (high - low)) * (last - first));
}

/** @param {number} x @param {number} y @param {string} word @param {string} [anchor] @param {string} [colour] @returns {Shape} */
function text(x, y, word, anchor = "start", colour = "") {
  return ["text", { x: round(x), y: round(y), "text-anchor": anchor, ...(colour ? { style: `fill: ${colour}` } : {}) }, word];
}

/** @param {number} value */
function short(value) {
  return String(Number(value.toPrecision(3)));
}

/** @param {number} value */
function round(value) {
  return Math.round(10 * value) / 10;
}
