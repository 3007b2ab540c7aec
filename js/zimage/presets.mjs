// @ts-check
/** What the released models were made for, and what to say when a sampler is set to something far from it. Pure. */

/** @typedef {{steps: number, cfg: number, shift: number, solver: string}} Preset */
/** @typedef {"turbo" | "base" | "other"} Release */
/** @typedef {"turboTooMuch" | "turboSteps" | "baseTooLittle" | "baseInTurbo"} Fault */
/** @typedef {{fault: Fault, mend: "turbo" | "base" | null}} Advice */
/** @typedef {{steps?: unknown, cfg?: unknown}} Values */

/** @type {Record<"turbo" | "base", Preset>} */
export const PRESETS = {
  turbo: { steps: 8, cfg: 1, shift: 3, solver: "euler" },
  base: { steps: 28, cfg: 4, shift: 6, solver: "res_multistep" },
};

/** Widgets a preset sets, for each sampler; a stock KSampler has its own names for solvers and no shift. */
const WIDGETS = {
  ZImageTurboSampler: { turbo: ["steps", "shift", "solver"] },
  ZImageSampler: { turbo: ["steps", "cfg", "shift", "solver"], base: ["steps", "cfg", "shift", "solver"] },
  ZImageSigmas: { turbo: ["steps", "shift"], base: ["steps", "shift"] },
  KSampler: { turbo: ["steps", "cfg"], base: ["steps", "cfg"] },
};

export const SAMPLERS = Object.keys(WIDGETS);

const MOST = { steps: 16, cfg: 2 }; // for Turbo; four more steps than people take for detail
const LEAST = { steps: 15, cfg: 1.5 }; // for base

/**
 * What a preset changes on a node of this class; nothing where the preset has no meaning there.
 * @param {string} nodeClass
 * @param {"turbo" | "base"} name
 * @returns {Partial<Preset>}
 */
export function settingsFor(nodeClass, name) {
  const table = /** @type {Record<string, Record<string, string[]>>} */ (WIDGETS);
  const preset = /** @type {Record<string, number | string>} */ (PRESETS[name]);
  return Object.fromEntries((table[nodeClass]?.[name] ?? []).map((widget) => [widget, preset[widget]]));
}

/**
 * Turbo or base, from the words the server has for a file's release.
 * @param {string | undefined} words
 * @returns {Release}
 */
export function releaseOf(words) {
  if (words?.startsWith("Turbo (")) return "turbo";
  return words?.startsWith("base (") ? "base" : "other";
}

/**
 * What is wrong with a sampler's settings, if anything surely is. A LoRA may have distilled a base model, so nothing is
 * said of few steps then; a value that comes through a link is undefined and never wrong.
 * @param {string} nodeClass
 * @param {Release} release
 * @param {Values} values
 * @param {boolean} hasLora
 * @returns {Advice | null}
 */
export function adviceFor(nodeClass, release, values, hasLora) {
  const isTurboSampler = nodeClass === "ZImageTurboSampler";
  if (release === "turbo" && above(values.cfg, MOST.cfg)) return { fault: "turboTooMuch", mend: "turbo" };
  if (release === "turbo" && above(values.steps, MOST.steps)) return { fault: "turboSteps", mend: "turbo" };
  if (release !== "base" || hasLora) return null;
  if (isTurboSampler) return { fault: "baseInTurbo", mend: null };
  const isTooLittle = below(values.steps, LEAST.steps) || below(values.cfg, LEAST.cfg);
  return isTooLittle ? { fault: "baseTooLittle", mend: "base" } : null;
}

/** @param {unknown} value @param {number} limit */
function above(value, limit) {
  return typeof value === "number" && value > limit;
}

/** @param {unknown} value @param {number} limit */
function below(value, limit) {
  return typeof value === "number" && value < limit;
}
