import assert from "node:assert/strict";
import { test } from "node:test";
import { barsOf, meaningOf } from "../../js/zimage/arena/arena_keys.mjs";

const plain = { ctrlKey: false, metaKey: false, altKey: false };

test("arrows and digits choose, 0 and space draw, z undoes, f enlarges; keys with Ctrl stay the page's", () => {
  const keys = ["ArrowLeft", "1", "ArrowRight", "2", "0", " ", "z", "f"];
  const meanings = keys.map((key) => meaningOf({ ...plain, key }));
  assert.deepEqual(meanings, ["left", "left", "right", "right", "draw", "draw", "undo", "enlarge"]);
  for (const held of ["ctrlKey", "metaKey", "altKey"]) assert.equal(meaningOf({ ...plain, key: "z", [held]: true }), null);
  for (const key of ["a", "Enter", "Tab", "ArrowUp", "toString"]) assert.equal(meaningOf({ ...plain, key }), null);
});

test("the bars of a standing lie on one scale", () => {
  const bars = barsOf([
    { low: 1000, high: 1200, rating: 1100 },
    { low: 800, high: 1000, rating: 850 },
  ]);
  assert.deepEqual(bars, [{ from: 0.5, to: 1, at: 0.75 }, { from: 0, to: 0.5, at: 0.125 }]);
  assert.deepEqual(barsOf([]), []);
});
