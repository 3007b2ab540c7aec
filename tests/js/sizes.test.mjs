import assert from "node:assert/strict";
import { test } from "node:test";
import { fitInSquare, parseRatio, sizeOf } from "../../js/zimage/sizes.mjs";

test("a ratio is two whole numbers, and anything else is none", () => {
  assert.deepEqual(["16:9", "1:1", "0:3", "wide", "16:9:1", undefined].map(parseRatio), [[16, 9], [1, 1], null, null, null, null]);
});

test("sides are multiples of 16, never nothing", () => {
  assert.deepEqual(sizeOf([1, 1], 1), { width: 1024, height: 1024 });
  assert.deepEqual(sizeOf([21, 9], 0.00001), { width: 16, height: 16 });
});

test("a drawing keeps the ratio and touches the square it is drawn in", () => {
  assert.deepEqual(fitInSquare([16, 8], 18), { width: 18, height: 9 });
  assert.deepEqual(fitInSquare([9, 18], 18), { width: 9, height: 18 });
});
