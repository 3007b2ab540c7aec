// @ts-check
/** One row of a table of captions: thumbnails, the caption in a box, its state, two buttons. It knows nothing of nodes. */
import { meaningOf } from "./table_keys.mjs";
import { keepPresses, part } from "../page/elements.mjs";

/** @typedef {"waiting" | "failed" | "written" | "approved"} State */
/** @typedef {{picture: string, target: string, text: string, state: State, by: string, problem: string, refused?: string, thumbnails: string[], place: Record<string, unknown>}} Row */
/** @typedef {{approve: string, approved: string, redo: string, caption: (name: string) => string, told: (row: Row) => string}} Words */
/** @typedef {"edit" | "approve" | "redo"} Change */
/**
 * @typedef {object} Acts
 * @property {(change: Change, row: Row, value: string | boolean) => Promise<unknown>} change to the row of its own place
 * @property {(row: Row) => void} after go to the next row
 * @property {(way: "previous" | "next") => void} turn to another page
 */

export class RowView {
  element = part("div", "zimage-caption");
  #pictures = part("div", "zimage-caption-pictures");
  #box = document.createElement("textarea");
  #told = part("div", "zimage-caption-told");
  #approve = document.createElement("button");
  #redo = document.createElement("button");
  #isRefused = false; // what is typed was not saved; it waits for Enter or Escape
  /** @type {Row} */
  #row;
  /** @type {Words | null} */
  #words = null;
  /** @type {Acts} */
  #acts;

  /** @param {Row} row @param {Acts} acts */
  constructor(row, acts) {
    this.#row = row;
    this.#acts = acts;
    this.element.setAttribute("role", "row");
    this.#box.className = "zimage-caption-text";
    this.#box.rows = 2;
    this.#box.spellcheck = false;
    this.#redo.textContent = "↻";
    for (const button of [this.#approve, this.#redo]) button.type = "button";
    const side = part("div", "zimage-caption-side");
    side.append(this.#approve, this.#redo);
    const middle = part("div", "zimage-caption-middle");
    middle.append(this.#box, this.#told);
    this.element.append(this.#pictures, middle, side);
    this.#listen();
  }

  get key() {
    return keyOf(this.#row);
  }

  focus() {
    this.#box.focus({ preventScroll: true });
  }

  /** What was typed and not saved goes where it was typed. */
  leave() {
    if (this.#isTyped) void this.#saveUnlessRefused();
  }

  get #isTyped() {
    const isOpen = this.#isRefused || document.activeElement === this.#box;
    return isOpen && this.#box.value !== this.#row.text;
  }

  /** Show a row; a box that is being typed into keeps its text. @param {Row} row @param {Words} words */
  show(row, words) {
    const isTyped = this.#isTyped;
    const refused = row.refused ?? (this.#isRefused ? this.#row.refused : undefined);
    this.#isRefused = isTyped && refused !== undefined;
    row = this.#isRefused ? { ...row, refused } : row;
    this.#row = row;
    this.#words = words;
    const name = row.target ? `${row.picture} → ${row.target}` : row.picture;
    this.element.dataset.state = row.state;
    this.#showPictures(row.thumbnails, name);
    if (!isTyped && this.#box.value !== row.text) this.#box.value = row.text;
    this.#box.setAttribute("aria-label", words.caption(name));
    this.#told.textContent = words.told(row);
    this.#told.title = this.#told.textContent;
    const isApproved = row.state === "approved";
    this.#approve.textContent = isApproved ? "✔" : "✓";
    this.#approve.disabled = !row.text;
    this.#approve.setAttribute("aria-pressed", String(isApproved));
    label(this.#approve, isApproved ? words.approved : words.approve);
    this.#redo.disabled = row.state === "waiting";
    label(this.#redo, words.redo);
  }

  /** @param {string[]} thumbnails @param {string} name */
  #showPictures(thumbnails, name) {
    const shown = [...this.#pictures.children].map((image) => image.getAttribute("src"));
    this.#pictures.title = name;
    if (JSON.stringify(shown) === JSON.stringify(thumbnails)) return;
    const images = thumbnails.map((address) => {
      const image = document.createElement("img");
      image.src = address;
      image.alt = "";
      image.draggable = false;
      return image;
    });
    this.#pictures.replaceChildren(...images);
  }

  #listen() {
    for (const each of [this.#box, this.#approve, this.#redo]) keepPresses(each);
    this.#approve.addEventListener("click", () => void this.#toggle());
    this.#redo.addEventListener("click", () => void this.#redoUnlessRefused());
    this.#box.addEventListener("change", () => void this.#saveUnlessRefused());
    this.#box.addEventListener("keydown", (event) => this.#type(event));
  }

  /** @param {KeyboardEvent} event */
  #type(event) {
    event.stopPropagation(); // no key is the canvas's
    const meaning = meaningOf(event);
    if (meaning === null) return;
    event.preventDefault();
    if (meaning === "restore") this.#restore();
    else if (meaning === "save") this.#save().then(() => this.#row.refused || this.#acts.after(this.#row));
    else if (meaning === "approve") this.#saveApproved().then(() => this.#row.refused || this.#acts.after(this.#row));
    else this.#saveUnlessRefused().then(() => this.#isRefused || this.#acts.turn(meaning));
  }

  #restore() {
    this.#box.value = this.#row.text;
    this.#isRefused = false;
    if (this.#words) this.show({ ...this.#row, refused: undefined }, this.#words);
  }

  /** A box that was emptied gets its caption back. */
  async #save() {
    const text = this.#box.value.trim();
    if (!text) return this.#restore();
    this.#isRefused = false; // Enter has seen the other words
    if (text !== this.#row.text) await this.#acts.change("edit", this.#row, text);
  }

  /** Leaving a box is no answer to a refusal. */
  async #saveUnlessRefused() {
    if (!this.#isRefused) await this.#save();
  }

  async #redoUnlessRefused() {
    await this.#saveUnlessRefused();
    if (!this.#isRefused) await this.#acts.change("redo", this.#row, "");
  }

  /** What a person wrote is approved by that. */
  async #saveApproved() {
    await this.#save();
    if (!this.#isRefused && this.#row.text && this.#row.state !== "approved") await this.#acts.change("approve", this.#row, true);
  }

  async #toggle() {
    await this.#saveUnlessRefused();
    if (!this.#isRefused) await this.#acts.change("approve", this.#row, this.#row.state !== "approved");
  }
}

/** What a row is about: of which captions, and which one. @param {Row} row */
export function keyOf({ place, picture, target }) {
  return JSON.stringify([place, picture, target]);
}

/** @param {HTMLElement} element @param {string} text */
function label(element, text) {
  element.title = text;
  element.setAttribute("aria-label", text);
}
