import assert from "node:assert/strict";
import { test } from "node:test";
import { WIDTH, shapesOf, words } from "../../js/zimage/runs/plot_shapes.mjs";

const plain = { bars: [], intervals: [], lines: [], axis: "", measured: "", limit: null, limit_name: "", chosen: null };
const of = (shapes, kind) => shapes.filter(([tag]) => tag === kind).map(([, attributes]) => attributes);

test("bars are as long as their numbers, negative ones go the other way, and all stay inside", () => {
  const { height, shapes } = shapesOf({ ...plain, bars: [["a", 2], ["b", 1], ["c", -1]] });
  const [a, b, c] = of(shapes, "rect");
  assert.ok(Math.abs(a.width - 2 * b.width) < 0.3 && Math.abs(c.width - b.width) < 0.3);
  assert.ok(Math.abs(c.x + c.width - a.x) < 0.2 && a.x + a.width < WIDTH && c.x > 0);
  assert.ok(of(shapes, "text").every(({ y }) => y > 0 && y <= height));
});

test("a line rises with its numbers, each scale has its ends, and a limit lies where its number does", () => {
  const lines = [
    { name: "change", points: [[0, 0], [1, 5], [2, 10]], scale: "left" },
    { name: "burning", points: [[0, 0], [1, 0.5], [2, 2]], scale: "right" },
  ];
  const { height, shapes } = shapesOf({ ...plain, lines, axis: "strength", limit: 0.5, limit_name: "burn limit", chosen: 1 });
  const dots = of(shapes, "circle");
  const [first, middle, last] = dots;
  assert.ok(first.cy > middle.cy && middle.cy > last.cy && Math.abs(first.cy + last.cy - 2 * middle.cy) < 0.3);
  const [chosen, limit] = of(shapes, "line").slice(4); // after the axis and its three marks
  assert.equal(chosen.x1, middle.cx);
  assert.equal(limit.y1, dots[4].cy);
  const told = shapes.filter(([tag]) => tag === "text").map(([, , text]) => text);
  assert.deepEqual(told, ["burn limit 0.5", "change", "burning", "0", "10", "0", "2", "0", "1", "2", "strength"]);
  assert.ok(dots.every(({ cx, cy }) => cx > 0 && cx < WIDTH && cy > 0 && cy < height));
  assert.match(words({ ...plain, lines, axis: "strength" }), /^change: strength 0: 0, strength 1: 5/);
});

test("many bars are a line over the pictures' numbers, equal ones lie in the middle", () => {
  const { shapes } = shapesOf({ ...plain, bars: Array.from({ length: 40 }, (_, i) => [String(i + 1), 3]) });
  const dots = of(shapes, "circle");
  assert.equal(dots.length, 40);
  assert.ok(new Set(dots.map(({ cy }) => cy)).size === 1);
});

test("every place of the axis has its number, close ones in a second row, and the left scale its name", () => {
  const points = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2].map((x) => [x, x]);
  const { height, shapes } = shapesOf({ ...plain, lines: [{ name: "", points, scale: "left" }], axis: "strength", measured: "noise" });
  const told = shapes.filter(([tag]) => tag === "text");
  for (const [x] of points) assert.ok(told.some(([, { y }, text]) => text === String(x) && y > 130 && y < height), String(x));
  assert.ok(told.some(([, { y }, text]) => text === "noise" && y < 16));
});

test("an interval lies around its bar's end, alone too", () => {
  const one = { ...plain, bars: [["all", 0.8]], intervals: [[0.5, 1]] };
  const { shapes } = shapesOf(one);
  const [{ d }] = of(shapes, "path");
  const [low, high] = [...d.matchAll(/[MH]([\d.]+)/g)].map(([, x]) => Number(x));
  const [bar] = of(shapes, "rect");
  assert.ok(low < bar.x + bar.width && bar.x + bar.width < high && high < WIDTH);
  assert.equal(words(one), "all: 0.8 (0.5 - 1)");
});
