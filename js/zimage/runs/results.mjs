// @ts-check
/**
 * ComfyUI ends a run by telling again what cached nodes told before, those inside a comparison too, and they would stand
 * on the comparison's node in place of its result. So the result is told once more. In a run that takes a comparison as
 * a whole from the cache, it is the comparison's node that tells it (nodes/bridge/page/told_later.py).
 */

/** @typedef {{node: string, display_node?: string, output?: Record<string, any> | null}} Told what the server says a node told */

/** The result inside what a cached node tells, which is empty before its graph has run. @param {Told} told @returns {Told | null} */
export function laterOf(told) {
  const [later] = told.output?.zimage_later ?? [];
  return later && Object.keys(later).length ? { ...told, output: later } : null;
}

/** What nodes made of others told in one run. Pure. */
export class Results {
  /** @type {Map<string, {told: Told, isLast: boolean}>} by the node that shows it */
  #results = new Map();

  /** A run begins. */
  clear() {
    this.#results.clear();
  }

  /** @param {Told} told */
  add(told) {
    const shown = String(told.display_node ?? told.node);
    const result = this.#results.get(shown);
    if (told.output?.zimage_result) this.#results.set(shown, { told, isLast: true });
    else if (result) result.isLast = false;
  }

  /** Results after which others have told something on their node. */
  hidden() {
    return [...this.#results.values()].filter(({ isLast }) => !isLast).map(({ told }) => told);
  }
}
