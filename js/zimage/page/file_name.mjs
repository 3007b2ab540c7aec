// @ts-check
/** File names of Z-Image Save Image: %date:...% and %Node.widget% become values when the graph is queued. */

/** @typedef {import("./graph.mjs").NodeLike} NodeLike */

export const SAVES = "ZImageSaveImage";

/**
 * The widget is queued as what ComfyUI's own save nodes make of it; without their function, as it is typed.
 * @param {NodeLike} node
 */
export function addFileName(node) {
  const widget = node.widgets?.find(({ name }) => name === "filename_prefix");
  if (!widget) return;
  widget.serializeValue = () => {
    const replaced = /** @type {any} */ (globalThis).comfyAPI?.utils?.applyTextReplacements;
    return replaced && node.graph ? replaced(node.graph.rootGraph ?? node.graph, widget.value) : widget.value;
  };
}
