import assert from "node:assert/strict";
import { test } from "node:test";
import { readPoints, sigmasAt, withAdded, withMoved, withRemoved, writePoints } from "../../js/zimage/samplers/drawn_schedule.mjs";

const BENT = [[0, 1], [0.5, 0.8], [1, 0]];

test("points are written as they are read", () => {
  assert.deepEqual(readPoints("0 1, 0.5 0.8, 1 0"), BENT);
  assert.equal(writePoints(BENT), "0 1, 0.5 0.8, 1 0");
});

test("what is no falling curve over all steps is none", () => {
  const texts = ["", "0 1", "0 1, x 0.5, 1 0", "0 1, 0.5, 1 0", "0 2, 1 0", "0 0.5, 1 0.5", "0.1 1, 1 0", "0 1, 0.5 0.4, 0.5 0.3, 1 0"];
  assert.deepEqual([...texts, undefined].map(readPoints), Array(texts.length + 1).fill(null));
});

test("a point stops before its neighbours, and the ends stay at theirs", () => {
  assert.deepEqual(withMoved(BENT, 1, [2, 2])[1], [0.995, 0.995]);
  assert.deepEqual(withMoved(BENT, 1, [-1, -1])[1], [0.005, 0.005]);
  assert.deepEqual(withMoved(BENT, 0, [0.4, 0.1])[0], [0, 0.805]);
  assert.deepEqual(withMoved(BENT, 2, [0.4, 0.1])[2], [1, 0.1]);
  assert.deepEqual(BENT[1], [0.5, 0.8]);
});

test("a new point takes its place in the row, and one taken away again leaves the rest", () => {
  const added = withAdded(BENT, [0.25, 0.9]);
  assert.deepEqual(added, { points: [[0, 1], [0.25, 0.9], [0.5, 0.8], [1, 0]], index: 1 });
  assert.deepEqual(withRemoved(added.points, 1), BENT);
  assert.deepEqual([0, 2, -1].map((index) => withRemoved(BENT, index)), [BENT, BENT, BENT]);
  assert.equal(withAdded([[0, 1], [0.004, 0.5], [1, 0]], [0.002, 0.7]), null);
});

test("two points are the shifted schedule", () => {
  assert.deepEqual(sigmasAt([[0, 1], [1, 0]], 3, [0, 0.5, 1]), [1, 0.75, 0]);
});
