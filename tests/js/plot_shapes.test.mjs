import assert from "node:assert/strict";
import { test } from "node:test";
import { WIDTH, shapesOf, words } from "../../js/zimage/runs/plot_shapes.mjs";

const plain = { bars: [], lines: [], axis: "", limit: null, chosen: null };
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
  const { height, shapes } = shapesOf({ ...plain, lines, axis: "strength", limit: 0.5, chosen: 1 });
  const dots = of(shapes, "circle");
  const [first, middle, last] = dots;
  assert.ok(first.cy > middle.cy && middle.cy > last.cy && Math.abs(first.cy + last.cy - 2 * middle.cy) < 0.3);
  const [, chosen, limit] = of(shapes, "line");
  assert.equal(chosen.x1, middle.cx);
  assert.equal(limit.y1, dots[4].cy);
  const told = shapes.filter(([tag]) => tag === "text").map(([, , text]) => text);
  assert.deepEqual(told, ["change", "burning", "0", "10", "0", "2", "0", "1", "2", "strength"]);
  assert.ok(dots.every(({ cx, cy }) => cx > 0 && cx < WIDTH && cy > 0 && cy < height));
  assert.match(words({ ...plain, lines, axis: "strength" }), /^change: strength 0: 0, strength 1: 5/);
});

test("many bars are a line over the pictures' numbers, equal ones lie in the middle", () => {
  const { shapes } = shapesOf({ ...plain, bars: Array.from({ length: 40 }, (_, i) => [String(i + 1), 3]) });
  const dots = of(shapes, "circle");
  assert.equal(dots.length, 40);
  assert.ok(new Set(dots.map(({ cy }) => cy)).size === 1);
});
