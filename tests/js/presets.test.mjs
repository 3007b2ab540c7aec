import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceFor, releaseOf, settingsFor } from "../../js/zimage/samplers/presets.mjs";

const problem = (...given) => adviceFor(...given)?.problem ?? null;

test("the commonest mistake, Turbo with 50 steps or guidance 8, is marked on every sampler that can make it", () => {
  for (const sampler of ["ZImageSampler", "KSampler"]) {
    assert.equal(problem(sampler, "turbo", { steps: 50, cfg: 8 }, false), "turboTooMuch");
    assert.equal(problem(sampler, "turbo", { steps: 8, cfg: 8 }, false), "turboTooMuch");
    assert.equal(problem(sampler, "turbo", { steps: 50, cfg: 1 }, false), "turboSteps");
  }
  assert.equal(problem("ZImageTurboSampler", "turbo", { steps: 50 }, false), "turboSteps");
});

test("Turbo a little beyond what it was made for is marked too", () => {
  for (const sampler of ["ZImageSampler", "KSampler"]) {
    for (const values of [{ steps: 12, cfg: 1.2 }, { steps: 8, cfg: 1.2 }, { steps: 9, cfg: 2 }]) {
      assert.equal(problem(sampler, "turbo", values, false), "turboGuided");
    }
    assert.equal(problem(sampler, "turbo", { steps: 12, cfg: 1 }, false), "turboSteps");
  }
});

test("settings people use on purpose are left alone", () => {
  for (const values of [{ steps: 8, cfg: 1 }, { steps: 9, cfg: 1 }, { steps: 4, cfg: 1 }]) {
    assert.equal(problem("ZImageSampler", "turbo", values, false), null);
  }
  for (const values of [{ steps: 28, cfg: 4 }, { steps: 50, cfg: 3 }, { steps: 20, cfg: 2 }]) {
    assert.equal(problem("ZImageSampler", "base", values, false), null);
  }
});

test("of several samplers in a row each is judged by the steps it takes", () => {
  const last = { steps: 16, cfg: 1, start_at_step: 8, end_at_step: 10000 };
  assert.equal(problem("ZImageTurboSampler", "turbo", last, false), null);
  assert.equal(problem("ZImageTurboSampler", "turbo", { ...last, start_at_step: 0 }, false), "turboSteps");
  const first = { steps: 12, cfg: 4, start_at_step: 0, end_at_step: 6 };
  assert.equal(problem("ZImageSampler", "base", first, false), null);
  assert.equal(problem("ZImageSampler", "base", { ...first, end_at_step: 12 }, false), "baseTooLittle");
});

test("a base model in Turbo's settings is marked, unless a LoRA may have distilled it", () => {
  assert.equal(problem("KSampler", "base", { steps: 8, cfg: 1 }, false), "baseTooLittle");
  assert.equal(problem("KSampler", "base", { steps: 8, cfg: 1 }, true), null);
  assert.equal(problem("ZImageTurboSampler", "base", { steps: 8 }, false), "baseInTurbo");
});

test("nothing is said of a model nobody knows, nor of a value that only a link knows", () => {
  assert.equal(problem("KSampler", "other", { steps: 50, cfg: 8 }, false), null);
  assert.equal(problem("KSampler", "turbo", { steps: undefined, cfg: undefined }, false), null);
});

test("the fix of a problem removes it", () => {
  const bad = [["ZImageSampler", "turbo"], ["KSampler", "turbo"], ["KSampler", "base"], ["ZImageSampler", "base"]];
  for (const [sampler, release] of bad) {
    const values = release === "turbo" ? { steps: 50, cfg: 8 } : { steps: 4, cfg: 1 };
    const { fix } = adviceFor(sampler, release, values, false);
    assert.equal(problem(sampler, release, { ...values, ...settingsFor(sampler, fix) }, false), null);
  }
});

test("a sampler is only given settings it has", () => {
  assert.deepEqual(Object.keys(settingsFor("ZImageTurboSampler", "turbo")).sort(), ["shift", "solver", "steps"]);
  assert.deepEqual(settingsFor("ZImageTurboSampler", "base"), {});
  assert.deepEqual(settingsFor("LoadImage", "turbo"), {});
});

test("releases are told by the server's words", () => {
  assert.deepEqual(
    ["Turbo (8 steps, CFG 1); its name says so", "Turbo with its distillation undone", "base (28 to 50)", "", undefined].map(releaseOf),
    ["turbo", "other", "base", "other", "other"],
  );
});
