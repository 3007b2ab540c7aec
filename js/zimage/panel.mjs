// @ts-check
/**
 * Lines of text under a node's widgets: a DOM widget that is never saved with the workflow nor sent with a prompt. It
 * takes clicks on its buttons only, so that wheel and drag reach the canvas.
 */

/** @typedef {{width: number, height: number}} Shape */
/** @typedef {{text: string, title: string, press: () => void, shape?: Shape, isOn?: boolean}} Button */
/** @typedef {{text: string, tone?: "plain" | "warning", part?: number, buttons?: Button[]}} Line */

const WIDGET = "zimage_panel";
const MARGIN = 4;
const NARROWEST = 120; // pixels of a panel on the canvas
const LINE = 24; // about what a line takes

export class Panel {
  /** @type {Map<string, Line>} */
  #lines = new Map();
  #element = document.createElement("div");
  /** @type {any} */
  #node;
  /** @type {any} */
  #widget = null;

  /** @param {any} node */
  constructor(node) {
    this.#node = node;
    this.#element.className = "zimage-panel";
  }

  /**
   * Show a line, in place of an earlier one of that name; null takes it away.
   * @param {string} name
   * @param {Line | null} line
   */
  show(name, line) {
    if (!this.#node.graph) return; // deleted while somebody waited for an answer
    if (line === null && !this.#lines.has(name)) return;
    if (JSON.stringify(line) === JSON.stringify(this.#lines.get(name) ?? null)) return;
    line === null ? this.#lines.delete(name) : this.#lines.set(name, line);
    this.#element.replaceChildren(...[...this.#lines].map(([key, each]) => drawn(key, each)));
    this.#fit();
  }

  #fit() {
    if (!this.#widget && this.#lines.size) this.#widget = this.#add();
    if (!this.#widget) return;
    this.#widget.hidden = this.#lines.size === 0;
    const [width, height] = this.#node.size;
    const needed = this.#node.computeSize()[1];
    if (height < needed) this.#node.setSize([width, needed]);
    this.#node.graph?.setDirtyCanvas?.(true, true);
  }

  #add() {
    const height = () => (this.#lines.size ? heightOf(this.#element) + 2 * MARGIN : 0);
    const widget = this.#node.addDOMWidget(WIDGET, "zimage", this.#element, {
      serialize: false,
      hideInPanel: true,
      hideOnZoom: true,
      margin: MARGIN,
      getMinHeight: height,
      getMaxHeight: height,
      getValue: () => "",
      setValue: () => {},
    });
    widget.serialize = false;
    return widget;
  }
}

/**
 * What the lines take. An element ComfyUI has not given its width yet would count every word as a line of its own.
 * @param {HTMLElement} element
 */
function heightOf(element) {
  const children = /** @type {HTMLElement[]} */ ([...element.children]);
  if (element.offsetWidth < NARROWEST) return children.length * LINE;
  return children.reduce((sum, child) => sum + child.offsetHeight, 0);
}

/** @param {string} name @param {Line} line */
function drawn(name, line) {
  const row = document.createElement("div");
  row.className = `zimage-line zimage-${line.tone ?? "plain"}`;
  row.dataset.line = name;
  const text = document.createElement("span");
  text.textContent = line.text;
  row.append(text);
  if (line.part !== undefined) row.append(bar(line.part));
  if (line.buttons) row.append(...line.buttons.map(button));
  return row;
}

/** @param {number} part */
function bar(part) {
  const full = document.createElement("div");
  full.className = "zimage-bar";
  const filled = document.createElement("div");
  filled.style.width = `${part * 100}%`;
  full.append(filled);
  return full;
}

/** @param {Button} described */
function button(described) {
  const element = document.createElement("button");
  element.type = "button";
  element.title = described.title;
  element.setAttribute("aria-label", described.title);
  element.setAttribute("aria-pressed", String(Boolean(described.isOn)));
  if (described.shape) {
    const shape = document.createElement("span");
    shape.className = "zimage-shape";
    shape.style.width = `${described.shape.width}px`;
    shape.style.height = `${described.shape.height}px`;
    element.append(shape);
  } else {
    element.textContent = described.text;
  }
  for (const kind of ["pointerdown", "mousedown"]) element.addEventListener(kind, (event) => event.stopPropagation());
  element.addEventListener("click", described.press);
  return element;
}
