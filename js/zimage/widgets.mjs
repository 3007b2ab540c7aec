// @ts-check
/** The only code that reads or writes widgets of a node. */
import { isLinked } from "./graph.mjs";

/** @typedef {import("./graph.mjs").NodeLike} NodeLike */

/**
 * A widget's value; undefined if a link gives it, or if there is none of that name.
 * @param {NodeLike} node
 * @param {string} name
 */
export function valueOf(node, name) {
  return isLinked(node, name) ? undefined : node.widgets?.find((widget) => widget.name === name)?.value;
}

/**
 * All values of the named widgets that are known.
 * @param {NodeLike} node
 * @param {readonly string[]} names
 * @returns {Record<string, unknown>}
 */
export function valuesOf(node, names) {
  const known = names.map((name) => [name, valueOf(node, name)]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known);
}

/**
 * Set widgets as if the artist had, and return what changed. A linked or missing widget is left alone.
 * @param {NodeLike} node
 * @param {Record<string, unknown>} values
 * @returns {Record<string, unknown>}
 */
export function setValues(node, values) {
  const changed = Object.entries(values).filter(([name, value]) => {
    const before = valueOf(node, name);
    return before !== undefined && before !== value;
  });
  for (const [name, value] of changed) {
    const widget = node.widgets?.find((each) => each.name === name);
    if (!widget) continue;
    widget.value = value;
    widget.callback?.(value);
  }
  if (changed.length) node.graph?.setDirtyCanvas?.(true, true);
  return Object.fromEntries(changed);
}
