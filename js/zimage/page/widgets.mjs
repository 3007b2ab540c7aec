// @ts-check
/** Reading, writing and adding widgets of a node; no other code does. */
import { isLinked, outsideInput } from "./graph.mjs";

/** @typedef {import("./graph.mjs").NodeLike} NodeLike */

/**
 * The widget that gives a node's input its value, which on a node of a subgraph may be the subgraph node's own;
 * undefined if another node gives it, or if there is no such widget.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {import("./graph.mjs").WidgetLike | undefined}
 */
function widgetFor(node, name) {
  if (!isLinked(node, name)) return node.widgets?.find((widget) => widget.name === name);
  const outside = outsideInput(node, name);
  return outside ? widgetFor(outside.node, outside.name) : undefined;
}

/** What the page calls a widget, in its language. @param {NodeLike} node @param {string} name */
export function labelOf(node, name) {
  return widgetFor(node, name)?.label || name;
}

/**
 * A widget's value; undefined if its input is connected, or if there is no such widget.
 * @param {NodeLike} node
 * @param {string} name
 */
export function valueOf(node, name) {
  return widgetFor(node, name)?.value;
}

/**
 * Values of the named widgets, without undefined ones.
 * @param {NodeLike} node
 * @param {readonly string[]} names
 * @returns {Record<string, unknown>}
 */
export function valuesOf(node, names) {
  const known = names.map((name) => [name, valueOf(node, name)]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known);
}

/**
 * Set widgets and call their callbacks, as the UI does; returns the changed values.
 * Connected or missing widgets are skipped.
 * @param {NodeLike} node
 * @param {Record<string, unknown>} values
 * @returns {Record<string, unknown>}
 */
export function setValues(node, values) {
  const changed = Object.entries(values).filter(([name, value]) => {
    const current = valueOf(node, name);
    return current !== undefined && current !== value;
  });
  for (const [name, value] of changed) {
    const widget = widgetFor(node, name);
    if (!widget) continue;
    widget.value = value;
    widget.callback?.(value);
  }
  if (changed.length) node.graph?.setDirtyCanvas?.(true, true);
  return Object.fromEntries(changed);
}

/** Hide a widget of a node's own, or show it again; it stays saved and queued. @param {NodeLike} node @param {string} name @param {boolean} isHidden */
export function setHidden(node, name, isHidden) {
  const widget = node.widgets?.find((each) => each.name === name);
  if (widget) widget.hidden = isHidden;
}

/**
 * A DOM widget for an element that is neither saved with the workflow nor sent with a prompt.
 * @param {any} node
 * @param {string} name
 * @param {HTMLElement} element
 * @param {() => number} height in pixels
 * @param {{margin?: number}} [options]
 */
export function addElement(node, name, element, height, options = {}) {
  const widget = node.addDOMWidget(name, "zimage", element, {
    serialize: false,
    hideInPanel: true,
    hideOnZoom: true,
    getMinHeight: height,
    getMaxHeight: height,
    getValue: () => "",
    setValue: () => {},
    ...options,
  });
  widget.serialize = false;
  return widget;
}
