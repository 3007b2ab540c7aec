// @ts-check
/** What the rest asks of ComfyUI's page: its settings, its server, its language, its toasts. */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { languageOf, say } from "./words.mjs";

/** @param {string} id */
export function isOn(id) {
  return app.extensionManager.setting.get(id) !== false;
}

export function language() {
  return languageOf(app.extensionManager.setting.get("Comfy.Locale"));
}

/**
 * A sentence in the artist's language.
 * @param {Parameters<typeof say>[1]} name
 * @param {Parameters<typeof say>[2]} [blanks]
 */
export function tell(name, blanks) {
  return say(language(), name, blanks);
}

/**
 * An answer of the pack's routes; null if the server is away, or has no answer to this question.
 * @param {"tokens" | "evaluations" | "release"} path
 * @param {Record<string, unknown>} question
 * @returns {Promise<{isAway: boolean, answer: any}>}
 */
export async function ask(path, question) {
  const body = JSON.stringify(question);
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await api.fetchApi(`/zimage/${path}`, { method: "POST", headers, body });
    return { isAway: response.status >= 500, answer: response.ok ? await response.json() : null };
  } catch {
    return { isAway: true, answer: null };
  }
}

/** @param {string} summary @param {string} detail */
export function toast(summary, detail) {
  app.extensionManager.toast.add({ severity: "info", summary, detail, life: 4000 });
}
