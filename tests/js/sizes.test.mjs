import assert from "node:assert/strict";
import { test } from "node:test";
import { fitInSquare, isFar, parseRatio, sizeFrom, sizeOf, valuesForSquare } from "../../js/zimage/sizes/sizes.mjs";

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

test("a size is read from width and height, from ratio and area, or from an area alone", () => {
  assert.deepEqual(sizeFrom({ width: 832, height: 1216 }), { width: 832, height: 1216 });
  assert.deepEqual(sizeFrom({ ratio: "16:9", megapixels: 1 }), { width: 1360, height: 768 });
  assert.deepEqual(sizeFrom({ megapixels: 0.004 }), { width: 64, height: 64 });
});

test("no size is read where a picture or a link gives it", () => {
  for (const values of [{}, { megapixels: 0 }, { width: 64 }, { ratio: "by pixels", megapixels: 1 }]) {
    assert.equal(sizeFrom(values), null);
  }
});

test("a size is far with a side beyond either limit", () => {
  const native = { side: 64, shortest: 64, longest: 80 };
  const sizes = [[64, 64], [80, 64], [80, 80], [48, 64], [64, 96], [1024, 1024]];
  assert.deepEqual(sizes.map(([width, height]) => isFar({ width, height }, native)), [false, false, false, true, true, true]);
});

test("the values for a square give that square, by the widgets a node has", () => {
  for (const side of [64, 1024]) {
    for (const values of [{ width: 1, height: 1 }, { ratio: "16:9", megapixels: 16 }, { megapixels: 2 }]) {
      const set = valuesForSquare(values, side);
      assert.deepEqual(sizeFrom({ ...values, ...set }), { width: side, height: side });
      assert.ok(Object.keys(set).every((name) => name in values));
    }
  }
});
