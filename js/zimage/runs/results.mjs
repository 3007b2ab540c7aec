// @ts-check
/**
 * ComfyUI ends a run by telling again what cached nodes told before, those inside a comparison too, and they would stand
 * on the comparison's node in place of its result. So the result is told once more.
 */

/** @typedef {{node: string, display_node?: string, output?: Record<string, any> | null}} Told what the server says a node told */

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
