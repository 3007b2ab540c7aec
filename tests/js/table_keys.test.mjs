// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../../js/zimage/captions/row_view.mjs";
import { meaningOf, pageOf } from "../../js/zimage/captions/table_keys.mjs";

const PLAIN = { ctrlKey: false, metaKey: false, shiftKey: false, isComposing: false };

test("a key that composes a Chinese word is the input method's", () => {
  assert.equal(meaningOf({ ...PLAIN, key: "Enter" }), "save");
  assert.equal(meaningOf({ ...PLAIN, key: "Enter", isComposing: true }), null);
  assert.equal(meaningOf({ ...PLAIN, key: "Enter", shiftKey: true }), null);
  assert.equal(meaningOf({ ...PLAIN, key: "Enter", metaKey: true }), "approve");
});

test("turning pages shows every row once", () => {
  const size = 6;
  for (const matching of [0, 1, 6, 7, 24, 10_000]) {
    const seen = [];
    for (let first = /** @type {number | null} */ (0); first !== null; ) {
      const shown = Math.min(size, matching - first);
      const { from, to, next } = pageOf({ first, shown, matching, size });
      if (shown) seen.push(...Array.from({ length: to - from + 1 }, (_, index) => from + index));
      first = next;
    }
    assert.deepEqual(seen, Array.from({ length: matching }, (_, index) => index + 1));
  }
});

test("a row of another kind or language is another row, so that what is typed stays with its own", () => {
  const row = { picture: "a.png", target: "", place: { kind: "medium", language: "English" } };
  const others = [
    { ...row, place: { ...row.place, kind: "short" } },
    { ...row, place: { ...row.place, language: "Chinese" } },
    { ...row, target: "b.png" },
  ];
  assert.equal(new Set([row, { ...row }, ...others].map(keyOf)).size, 4);
});
