// @ts-check
/** Sampler settings of the released models, and advice for settings that do not fit the model. Pure. */
import { STRAIGHT } from "./drawn_schedule.mjs";

/** @typedef {{steps: number, cfg: number, shift: number, solver: string}} Preset */
/** @typedef {"turbo" | "base" | "other"} Release */
/** @typedef {"turboTooMuch" | "turboGuided" | "turboSteps" | "baseTooLittle" | "baseInTurbo"} Problem */
/** @typedef {{problem: Problem, fix: "turbo" | "base" | null}} Advice */
/** @typedef {{steps?: unknown, cfg?: unknown, start_at_step?: unknown, end_at_step?: unknown}} Values */

/** @type {Record<"turbo" | "base", Preset>} */
export const PRESETS = {
  turbo: { steps: 8, cfg: 1, shift: 3, solver: "euler" },
  base: { steps: 28, cfg: 4, shift: 6, solver: "res_multistep" },
};

/** Widgets that a preset sets, by node class; a stock KSampler has other names for solvers and no shift. */
const WIDGETS = {
  ZImageTurboSampler: { turbo: ["steps", "shift", "solver"] },
  ZImageSampler: { turbo: ["steps", "cfg", "shift", "solver"], base: ["steps", "cfg", "shift", "solver"] },
  ZImageSigmas: { turbo: ["steps", "shift"], base: ["steps", "shift"] },
  ZImageDrawnSigmas: { turbo: ["steps", "shift", "points"], base: ["steps", "shift", "points"] },
  KSampler: { turbo: ["steps", "cfg"], base: ["steps", "cfg"] },
};

export const SAMPLERS = Object.keys(WIDGETS);

const TURBO_MADE_FOR = { steps: 9, cfg: 1 }; // the published example counts 9 steps, of which 8 run
const TURBO_BURNT = { cfg: 2 };
const BASE_MIN = { steps: 15, cfg: 1.5 };

/**
 * Widget values that a preset sets on a node of this class; empty where the preset does not apply.
 * @param {string} nodeClass
 * @param {"turbo" | "base"} name
 * @returns {Partial<Preset> & {points?: string}}
 */
export function settingsFor(nodeClass, name) {
  const table = /** @type {Record<string, Record<string, string[]>>} */ (WIDGETS);
  const preset = /** @type {Record<string, number | string>} */ ({ ...PRESETS[name], points: STRAIGHT });
  return Object.fromEntries((table[nodeClass]?.[name] ?? []).map((widget) => [widget, preset[widget]]));
}

/**
 * Turbo or base, from the release text of the server.
 * @param {string | undefined} text
 * @returns {Release}
 */
export function releaseOf(text) {
  if (text?.startsWith("Turbo (")) return "turbo";
  return text?.startsWith("base (") ? "base" : "other";
}

/**
 * The problem with a sampler's settings, or null. With a LoRA a base model may be distilled, so few steps are no
 * problem then; nor are values that come through a link, which are undefined.
 * @param {string} nodeClass
 * @param {Release} release
 * @param {Values} values
 * @param {boolean} hasLora
 * @returns {Advice | null}
 */
export function adviceFor(nodeClass, release, values, hasLora) {
  const isTurboSampler = nodeClass === "ZImageTurboSampler";
  if (release === "turbo" && above(values.cfg, TURBO_BURNT.cfg)) return { problem: "turboTooMuch", fix: "turbo" };
  if (release === "turbo" && above(values.cfg, TURBO_MADE_FOR.cfg)) return { problem: "turboGuided", fix: "turbo" };
  if (release === "turbo" && above(stepsTaken(values), TURBO_MADE_FOR.steps)) return { problem: "turboSteps", fix: "turbo" };
  if (release !== "base" || hasLora) return null;
  if (isTurboSampler) return { problem: "baseInTurbo", fix: null };
  const isFew = stepsTaken(values) === values.steps && below(values.steps, BASE_MIN.steps); // else others go on
  const isTooLittle = isFew || below(values.cfg, BASE_MIN.cfg);
  return isTooLittle ? { problem: "baseTooLittle", fix: "base" } : null;
}

/** The steps that a sampler with a part of them runs, or all; undefined if a link gives them. @param {Values} values */
function stepsTaken({ steps, start_at_step: start, end_at_step: end }) {
  if (typeof steps !== "number") return undefined;
  const last = typeof end === "number" ? Math.min(end, steps) : steps;
  return Math.max(0, last - (typeof start === "number" ? start : 0));
}

/** @param {unknown} value @param {number} limit */
function above(value, limit) {
  return typeof value === "number" && value > limit;
}

/** @param {unknown} value @param {number} limit */
function below(value, limit) {
  return typeof value === "number" && value < limit;
}
