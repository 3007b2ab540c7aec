// @ts-check
/** Elements of nodes' panels. */

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} name its class */
export function part(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

/** The canvas below sees no press of a control, which would drag the node. @param {HTMLElement} control */
export function keepPresses(control) {
  for (const kind of ["pointerdown", "mousedown"]) control.addEventListener(kind, (event) => event.stopPropagation());
}
