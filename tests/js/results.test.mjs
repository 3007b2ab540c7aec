import assert from "node:assert/strict";
import { test } from "node:test";
import { Results, laterOf } from "../../js/zimage/runs/results.mjs";

const inner = (name, output) => ({ node: `5.0.0.${name}`, display_node: "5", output });
const result = inner("Sheet-9", { text: ["A is better"], zimage_result: [true] });

test("a result that cached nodes have told over is told once more, and no other", () => {
  const results = new Results();
  for (const told of [inner("Picture-1", { text: ["picture 1"] }), result, { node: "6", output: { text: ["saved"] } }]) {
    results.add(told);
  }
  assert.deepEqual(results.hidden(), []);
  results.add(inner("Picture-1", { text: ["picture 1"] }));
  assert.deepEqual(results.hidden(), [result]);
  results.add(result);
  assert.deepEqual(results.hidden(), []);
});

test("a new run knows nothing of the one before", () => {
  const results = new Results();
  results.add(result);
  results.clear();
  results.add(inner("Picture-1", { text: ["picture 1"] }));
  assert.deepEqual(results.hidden(), []);
});

test("a cached node tells its result, and none before its graph has run", () => {
  const told = { node: "5", display_node: "5", output: { zimage_later: [{ text: ["A is better"] }] } };
  assert.deepEqual(laterOf(told), { ...told, output: { text: ["A is better"] } });
  assert.equal(laterOf({ ...told, output: { zimage_later: [{}] } }), null);
  assert.equal(laterOf({ ...told, output: null }), null);
});
