// @ts-check
/**
 * Lines of text under a node's widgets: a DOM widget that is neither saved with the workflow nor sent with a prompt.
 * Only its buttons receive pointer events, so that wheel and drag reach the canvas.
 */

import { asOneStep, passWheel } from "./comfyui.mjs";
import { keepPresses } from "./elements.mjs";
import { isOnGraph } from "./graph.mjs";
import { addElement } from "./widgets.mjs";

/** @typedef {{width: number, height: number}} Shape */
/** @typedef {{text: string, title: string, onClick: () => void, shape?: Shape, isOn?: boolean}} Button */
/** @typedef {"plain" | "warning" | "error"} Tone */
/** @typedef {{text: string, title?: string, tone?: Tone, fill?: number, buttons?: Button[], content?: HTMLElement}} Line fill: of a bar, 0..1 */

const WIDGET = "zimage_panel";
const MARGIN = 4;
const MIN_WIDTH = 120; // pixels; a narrower element has not been laid out yet
const LINE_HEIGHT = 24; // pixels, estimated

/** @type {WeakMap<object, Panel>} by node */
const panels = new WeakMap();

/** The panel of a node that has one. @param {any} node */
export function panelOf(node) {
  return panels.get(node);
}

export class Panel {
  /** @type {Map<string, {line: Line, row: HTMLElement}>} */
  #lines = new Map();
  #element = document.createElement("div");
  /** @type {any} */
  #node;
  /** @type {any} */
  #widget = null;
  #height = 0; // of the lines in pixels, as they were last laid out; 0 before that

  /** @param {any} node */
  constructor(node) {
    this.#node = node;
    panels.set(node, this);
    this.#element.className = "zimage-panel";
  }

  /**
   * Show a line, replacing the one of that name; null removes it. Other lines keep their elements, so that a button
   * that is being pressed stays under the pointer.
   * @param {string} name
   * @param {Line | null} line
   */
  show(name, line) {
    if (!isOnGraph(this.#node)) return; // deleted, or its graph was replaced, during an await
    const shown = this.#lines.get(name);
    if (JSON.stringify(line) === JSON.stringify(shown?.line ?? null)) return;
    this.#height = 0;
    shown?.row.remove();
    line === null ? this.#lines.delete(name) : this.#lines.set(name, { line, row: renderLine(name, line) });
    this.#place();
    this.fit();
    afterLayout(() => this.fit());
  }

  /** Make the node grow with an element of a line, and a new one at least so wide. @param {HTMLElement} element @param {number} leastWidth pixels */
  growWith(element, leastWidth) {
    const [width, height] = this.#node.size;
    this.#node.setSize([Math.max(width, leastWidth), height]);
    passWheel(element);
    new ResizeObserver(() => this.fit()).observe(element);
  }

  /** Whether a line of that name is shown. @param {string} name */
  has(name) {
    return this.#lines.has(name);
  }

  /** Put new rows where they belong, without moving those that are there. */
  #place() {
    const lines = [...this.#lines.values()].sort((one, other) => rankOf(one.line) - rankOf(other.line));
    let next = /** @type {HTMLElement | null} */ (null);
    for (const { row } of lines.reverse()) {
      if (row.parentElement !== this.#element) this.#element.insertBefore(row, next);
      next = row;
    }
  }

  /** Make room for lines that have grown. */
  fit() {
    if (!isOnGraph(this.#node)) return;
    if (!this.#widget && this.#lines.size) this.#widget = this.#add();
    if (!this.#widget) return;
    this.#widget.hidden = this.#lines.size === 0;
    const [width, height] = this.#node.size;
    const needed = this.#node.computeSize()[1];
    if (height < needed) this.#node.setSize([width, needed]);
    this.#node.graph?.setDirtyCanvas?.(true, true);
  }

  #add() {
    const height = () => (this.#lines.size ? this.#heightOfLines() + 2 * MARGIN : 0);
    return addElement(this.#node, WIDGET, this.#element, height, { margin: MARGIN });
  }

  /**
   * In pixels. While ComfyUI has not set the element's width, which would wrap every word, or hides it, as where one has
   * zoomed far out, it is what it last was: else a text box would take the room and keep it for a while. Estimated before.
   */
  #heightOfLines() {
    const children = /** @type {HTMLElement[]} */ ([...this.#element.children]);
    if (this.#element.offsetWidth >= MIN_WIDTH) this.#height = children.reduce((sum, child) => sum + child.offsetHeight, 0);
    return this.#height || children.length * LINE_HEIGHT;
  }
}

/** Two frames later: ComfyUI gives a new element its width as it draws the first. @param {() => void} action */
function afterLayout(action) {
  requestAnimationFrame(() => requestAnimationFrame(action));
}

/** Errors come first, everything else in the order in which it was shown. @param {Line} line */
function rankOf(line) {
  return line.tone === "error" ? 0 : 1;
}

/** @param {string} name @param {Line} line */
function renderLine(name, line) {
  const row = document.createElement("div");
  row.className = `zimage-line zimage-${line.tone ?? "plain"}`;
  row.dataset.line = name;
  if (line.title) row.title = line.title;
  const text = document.createElement("span");
  text.textContent = line.text;
  row.append(text);
  if (line.fill !== undefined) row.append(renderBar(line.fill));
  if (line.buttons) row.append(...line.buttons.map(renderButton));
  if (line.content) row.append(line.content);
  return row;
}

/** @param {number} fill */
function renderBar(fill) {
  const outer = document.createElement("div");
  outer.className = "zimage-bar";
  const inner = document.createElement("div");
  inner.style.width = `${fill * 100}%`;
  outer.append(inner);
  return outer;
}

/** @param {Button} button */
function renderButton(button) {
  const element = document.createElement("button");
  element.type = "button";
  element.title = button.title;
  element.setAttribute("aria-label", button.title);
  element.setAttribute("aria-pressed", String(Boolean(button.isOn)));
  if (button.shape) {
    const shape = document.createElement("span");
    shape.className = "zimage-shape";
    shape.style.width = `${button.shape.width}px`;
    shape.style.height = `${button.shape.height}px`;
    const box = document.createElement("span");
    box.className = "zimage-shape-box";
    box.append(shape);
    element.append(box, button.text);
  } else {
    element.textContent = button.text;
  }
  keepPresses(element);
  element.addEventListener("click", () => asOneStep(button.onClick));
  return element;
}
