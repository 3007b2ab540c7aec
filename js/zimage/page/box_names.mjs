// @ts-check
/** The classic canvas shows an empty text box's name in it, in English and faintly: here in the page's language. */

/** @param {any} node */
export function nameBoxes(node) {
  for (const { element, label } of node.widgets ?? []) {
    if (!(element instanceof HTMLTextAreaElement)) continue;
    if (label && !element.placeholder.includes("\n")) element.placeholder = label; // several lines are an example
    element.classList.add("zimage-box");
  }
}
