import assert from "node:assert/strict";
import { test } from "node:test";
import { isThere, toggled, verdictsIn, withVerdict } from "../../js/zimage/curation/choices.mjs";

test("a verdict is a line, the last of a picture counts, and names may hold spaces", () => {
  const found = verdictsIn("keep a b.png\n\ndrop c.png\nhello\nkeep c.png");
  assert.deepEqual([...found], [["a b.png", "keep"], ["c.png", "keep"]]);
});

test("a verdict that the search has itself needs no line", () => {
  const text = withVerdict("keep a.png", "b.png", "drop", "keep");
  assert.equal(text, "keep a.png\ndrop b.png");
  assert.equal(withVerdict(text, "b.png", "keep", "keep"), "keep a.png");
  assert.equal(withVerdict(text, "a.png", "keep", "drop"), "drop b.png\nkeep a.png");
});

test("a condition is put in and taken out, however it is spaced", () => {
  const text = toggled("width<512", "sharpness < 20");
  assert.equal(text, "width<512\nsharpness < 20");
  assert.ok(isThere(text, "width < 512"));
  assert.equal(toggled(text, "width < 512"), "sharpness < 20");
});
