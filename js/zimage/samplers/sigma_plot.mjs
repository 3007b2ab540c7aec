// @ts-check
/** A curve with points to drag, drawn in a box: what Z-Image Draw Sigmas shows. It knows nothing of nodes. */
import { withAdded, withMoved, withRemoved } from "./drawn_schedule.mjs";

/** @typedef {import("./drawn_schedule.mjs").Point} Point */

const SVG = "http://www.w3.org/2000/svg";
const GRID = "M0 25H100M0 50H100M0 75H100M25 0V100M50 0V100M75 0V100";
const NUDGE = 0.01; // of an arrow key
/** @type {Record<string, Point>} */
const ARROWS = { ArrowLeft: [-NUDGE, 0], ArrowRight: [NUDGE, 0], ArrowUp: [0, NUDGE], ArrowDown: [0, -NUDGE] };

export class SigmaPlot {
  element = document.createElement("div");
  #area = document.createElement("div");
  #path = document.createElementNS(SVG, "path");
  #dots = document.createElement("div");
  /** @type {HTMLButtonElement[]} */
  #handles = [];
  /** @type {Point[]} */
  #points = [];
  #pressed = -1; // index of the point pressed last
  #isDragging = false;
  #isTyping = false; // a key that is down has made a change
  /** @type {(points: Point[]) => void} */
  #change;
  /** @type {() => void} */
  #settle;

  /**
   * @param {(points: Point[]) => void} change called with the points that a gesture or a key makes
   * @param {() => void} settle called when the gesture or the key has ended
   */
  constructor(change, settle) {
    this.#change = change;
    this.#settle = settle;
    this.element.className = "zimage-curve";
    this.#area.append(this.#drawing(), this.#dots);
    this.element.append(this.#area);
    this.#listen();
  }

  #drawing() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 100");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const grid = document.createElementNS(SVG, "path");
    grid.setAttribute("class", "zimage-grid");
    grid.setAttribute("d", GRID);
    svg.append(grid, this.#path);
    return svg;
  }

  /**
   * Draw points, the curve through them and a dot for every step. Points keep their elements, so that one with the focus
   * keeps it.
   * @param {Point[]} points
   * @param {Point[]} curve
   * @param {Point[]} steps
   * @param {(point: Point) => string} nameOf what a point is called
   */
  show(points, curve, steps, nameOf) {
    this.#points = points;
    this.#path.setAttribute("d", curve.map(([x, y], i) => `${i ? "L" : "M"}${100 * x} ${100 - 100 * y}`).join(""));
    this.#dots.replaceChildren(...steps.map((step) => place(document.createElement("span"), step)));
    for (const dot of this.#dots.children) dot.className = "zimage-dot";
    while (this.#handles.length > points.length) this.#handles.pop()?.remove();
    while (this.#handles.length < points.length) this.#handles.push(this.#newHandle());
    this.#handles.forEach((handle, i) => {
      place(handle, points[i]);
      handle.setAttribute("aria-label", nameOf(points[i]));
    });
  }

  #newHandle() {
    const handle = document.createElement("button");
    handle.type = "button";
    this.#area.append(handle);
    return handle;
  }

  #listen() {
    const { element } = this;
    for (const kind of ["mousedown", "click", "dblclick"]) {
      element.addEventListener(kind, (event) => event.stopPropagation());
    }
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => {
      if (this.#isDragging) this.#change(withMoved(this.#points, this.#pressed, this.#placeOf(event)));
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      element.addEventListener(kind, () => this.#release());
    }
    element.addEventListener("dblclick", () => {
      this.#change(withRemoved(this.#points, this.#pressed));
      this.#settle();
    });
    element.addEventListener("keydown", (event) => this.#type(event));
    element.addEventListener("keyup", () => this.#release());
  }

  /** Take hold of a point, or of a new one where there is none. @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0 || !this.#points.length) return;
    event.stopPropagation();
    event.preventDefault();
    const handle = /** @type {HTMLButtonElement} */ (event.target);
    this.#pressed = this.#handles.indexOf(handle);
    if (this.#pressed < 0) this.#add(this.#placeOf(event));
    if (this.#pressed < 0) return;
    this.#isDragging = true;
    this.element.setPointerCapture(event.pointerId);
    this.#handles[this.#pressed]?.focus();
  }

  #release() {
    if (this.#isDragging || this.#isTyping) this.#settle();
    this.#isDragging = this.#isTyping = false;
  }

  /** @param {Point} place */
  #add(place) {
    const added = withAdded(this.#points, place);
    if (!added) return;
    this.#change(added.points);
    this.#pressed = added.index;
  }

  /** Keys that mean nothing here are the canvas's, such as those of undo. @param {KeyboardEvent} event */
  #type(event) {
    const index = this.#handles.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const arrow = ARROWS[event.key];
    if (index < 0 || event.ctrlKey || event.metaKey) return;
    const [part, sigma] = this.#points[index];
    if (arrow) this.#change(withMoved(this.#points, index, [part + arrow[0], sigma + arrow[1]]));
    else if (event.key === "Delete" || event.key === "Backspace") this.#change(withRemoved(this.#points, index));
    else if (event.key === "Enter") this.#addBeside(index);
    else return;
    this.#isTyping = true;
    event.preventDefault();
    event.stopPropagation();
  }

  /** A point half way to the next one; beside the last, half way to the one before. @param {number} index */
  #addBeside(index) {
    const [one, other] = this.#points.slice(Math.min(index, this.#points.length - 2));
    this.#add([(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]);
    this.#handles[this.#pressed]?.focus();
  }

  /** Where a pointer is in the plot, at any zoom. @param {PointerEvent} event @returns {Point} */
  #placeOf(event) {
    const box = this.#area.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (box.bottom - event.clientY) / box.height];
  }
}

/** @template {HTMLElement} T @param {T} element @param {Point} point */
function place(element, [part, sigma]) {
  element.style.left = `${100 * part}%`;
  element.style.bottom = `${100 * sigma}%`;
  return element;
}
