import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, timeLeft } from "../../js/zimage/samplers/pace.mjs";

test("steps of one pace leave that pace times the steps to come, whatever the first one waited for", () => {
  for (const waited of [0, 90_000]) {
    for (let value = 2; value <= 8; value++) {
      const first = { value: 1, at: waited };
      assert.equal(timeLeft(first, { value, at: waited + 250 * (value - 1) }, 8), 250 * (8 - value));
    }
  }
});

test("no time is told before a second step, nor when a count begins again", () => {
  assert.equal(timeLeft(undefined, { value: 1, at: 0 }, 8), null);
  assert.equal(timeLeft({ value: 5, at: 0 }, { value: 1, at: 10 }, 8), null);
});

test("minutes are told from one minute on", () => {
  assert.deepEqual([400, 59_400, 60_000, 125_000].map(inWords), ["0 s", "59 s", "1 min 0 s", "2 min 5 s"]);
});
