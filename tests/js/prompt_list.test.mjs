import assert from "node:assert/strict";
import { test } from "node:test";
import { afterRun, asList, labelOf } from "../../js/zimage/prompts/prompt_list.mjs";

test("the newest stands first, each once, and twenty are kept", () => {
  assert.deepEqual(afterRun(["a", "b"], ["b"]), ["b", "a"]);
  assert.deepEqual(afterRun(["a", "b"], ["c", "d"]), ["c", "d", "a", "b"]);
  const many = Array.from({ length: 30 }, (_, i) => `prompt ${i}`);
  assert.deepEqual(afterRun(many, ["new"]), ["new", ...many.slice(0, 19)]);
});

test("a box that is empty, filled by a link or endless is not kept", () => {
  assert.deepEqual(afterRun(["a"], ["", "  \n", undefined, 7, "x".repeat(20001)]), ["a"]);
});

test("a file that holds something else is an empty list", () => {
  assert.deepEqual([null, {}, "a", 3].map(asList), [[], [], [], []]);
  assert.deepEqual(asList(["a", 3, "a", "b"]), ["a", "b"]);
});

test("a prompt is told by its beginning, whole letters on one line", () => {
  assert.equal(labelOf(" a\n\nred  fox "), "a red fox");
  assert.equal(labelOf("🦊".repeat(61)), `${"🦊".repeat(60)}…`);
});
