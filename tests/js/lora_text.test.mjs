import assert from "node:assert/strict";
import { test } from "node:test";
import { canHold, matching, rowsOf, withName, withRow, withRowMoved, withStrength, withSwitch, withoutRow } from "../../js/zimage/loras/lora_text.mjs";

const TEXT = "  a b.safetensors : 0.8\n\n# people/c.safetensors:.5>1 @ 0.2-0.8 blocks 0-9=0.5\n# for the portrait\nd";
const LINES = [0, 2, 3, 4];

test("every line that is not empty is a row, and a line in words is a note", () => {
  const shown = rowsOf(TEXT).map(({ line, isOn, name, strength, rest, note }) => note || [line, isOn, name, strength, rest]);
  assert.deepEqual(shown, [
    [0, true, "a b.safetensors", 0.8, ""],
    [2, false, "people/c.safetensors", 0.5, ">1 @ 0.2-0.8 blocks 0-9=0.5"],
    "# for the portrait",
    [4, true, "d", 1, ""],
  ]);
  assert.deepEqual(rowsOf(" \n"), []);
});

test("what is no number is none, and shown as such", () => {
  const strengths = ["a : x", "a :", "a : nan", "a : 2x", "a : 1e-2", "a : +2."].map((line) => rowsOf(line)[0].strength);
  assert.deepEqual(strengths, [NaN, NaN, NaN, NaN, 0.01, 2]);
});

test("a Chinese colon after a file's ending divides, and one in a name does not", () => {
  const line = "风格：2.safetensors：0.7 @ 0.2-1";
  assert.deepEqual(rowsOf(line).map(({ name, strength, rest }) => [name, strength, rest]), [["风格：2.safetensors", 0.7, "@ 0.2-1"]]);
  assert.equal(withStrength(line, 0, 1), "风格：2.safetensors：1 @ 0.2-1");
  assert.equal(rowsOf("风格：2.safetensors")[0].name, "风格：2.safetensors");
});

test("a change and its opposite give the text as it was, with all that stands after the strength", () => {
  for (const line of [0, 4]) assert.equal(withSwitch(withSwitch(TEXT, line, false), line, true), TEXT);
  assert.equal(withSwitch(withSwitch(TEXT, 2, true), 2, false), TEXT);
  assert.equal(withStrength(withStrength(TEXT, 0, 2), 0, 0.8), TEXT);
  assert.equal(withName(withName(TEXT, 2, "x.safetensors"), 2, "people/c.safetensors"), TEXT);
  assert.equal(withoutRow(withRow(TEXT, "e"), 5), TEXT);
  for (const [row, line] of LINES.entries()) {
    if (row) assert.equal(withRowMoved(withRowMoved(TEXT, line, -1), LINES[row - 1], 1), TEXT);
  }
});

test("a change touches one line", () => {
  const changed = withStrength(TEXT, 2, -1).split("\n");
  assert.equal(changed[2], "# people/c.safetensors:-1>1 @ 0.2-0.8 blocks 0-9=0.5");
  assert.deepEqual(changed.toSpliced(2, 1), TEXT.split("\n").toSpliced(2, 1));
  assert.equal(withStrength("d", 0, 0.5), "d : 0.5");
});

test("the first and the last row stay where they are when moved outwards, and a first row needs no line before it", () => {
  assert.equal(withRowMoved(TEXT, 0, -1), TEXT);
  assert.equal(withRowMoved(TEXT, 4, 1), TEXT);
  assert.equal(withRow("", "a.safetensors"), "a.safetensors : 1");
});

test("a list holds a name that it reads as it is", () => {
  const names = ["a.safetensors", "x #1：b.safetensors", "#a.safetensors", " a.safetensors", "# old/a.safetensors"];
  assert.deepEqual(names.map(canHold), [true, true, false, false, false]);
});

test("a search finds names that contain all its words", () => {
  const names = ["style/Pixel Art.safetensors", "pixel.safetensors", "oil.safetensors"];
  assert.deepEqual(matching(names, "art PIX"), names.slice(0, 1));
  assert.deepEqual(matching(names, ""), names);
});
