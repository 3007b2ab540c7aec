import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { inOrder, ordered } from "../../js/zimage/page/templates.mjs";

const folder = new URL("../../workflows/", import.meta.url);
const shipped = readdirSync(folder).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));

test("every order of the file system becomes one, text to image first", () => {
  const sorted = inOrder(shipped);
  assert.deepEqual(inOrder([...shipped].reverse()), sorted);
  assert.deepEqual([...sorted].sort(), [...shipped].sort());
  assert.deepEqual(sorted.slice(0, 4), [
    "Z-Image Turbo - text to image",
    "Z-Image Base - text to image",
    "Z-Image Nano - text to image",
    "Z-Image Turbo - image to image",
  ]);
});

test("a name that is not in the list comes last", () => {
  assert.deepEqual(inOrder(["Z-Image Nano - a", "b", "Z-Image Nano - faster"]), [
    "Z-Image Nano - faster",
    "Z-Image Nano - a",
    "b",
  ]);
});

test("other packs' lists stay as they were", () => {
  const lists = { other: ["b", "a"], ours: ["Z-Image Nano - faster", "Z-Image Nano - text to image"] };
  const result = ordered(lists, "ours");
  assert.equal(result.other, lists.other);
  assert.deepEqual(result.ours, ["Z-Image Nano - text to image", "Z-Image Nano - faster"]);
  assert.equal(ordered(lists, "absent"), lists);
});
