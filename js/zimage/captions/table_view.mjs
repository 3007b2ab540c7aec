// @ts-check
/** A page of a table of captions: how many there are, which of them are shown, and a row for each. */
import { meaningOf, pageOf } from "./table_keys.mjs";
import { RowView, keyOf } from "./row_view.mjs";
import { keepPresses, part } from "../page/elements.mjs";

/** @typedef {import("./row_view.mjs").Row} Row */
/** @typedef {"all" | "open" | "failed"} Filter */
/** @typedef {{rows: Row[], first: number, matching: number}} Page */
/** @typedef {import("./row_view.mjs").Words & {table: string, count: string, filter: string, all: string, open: string, failed: string, previous: string, next: string, range: (page: {from: number, to: number, matching: number}) => string}} Words */
/**
 * @typedef {object} Acts
 * @property {import("./row_view.mjs").Acts["change"]} change
 * @property {(first: number) => Promise<unknown>} look at another page, through the filter
 */

const FILTERS = /** @type {const} */ (["all", "open", "failed"]);
export const SIZE = 6; // rows of a page

export class TableView {
  element = part("div", "zimage-captions");
  #count = part("span", "zimage-captions-count");
  #filter = document.createElement("select");
  #previous = this.#turning("‹", "previous");
  #next = this.#turning("›", "next");
  #range = part("span", "zimage-captions-range");
  #body = part("div", "zimage-captions-rows");
  /** @type {Map<string, RowView>} */
  #rows = new Map();
  /** @type {{previous: number | null, next: number | null}} */
  #page = { previous: null, next: null };
  /** @type {Acts} */
  #acts;

  /** @param {Acts} acts */
  constructor(acts) {
    this.#acts = acts;
    this.element.setAttribute("role", "group");
    this.#body.setAttribute("role", "table");
    this.#count.setAttribute("aria-live", "polite");
    for (const filter of FILTERS) this.#filter.append(new Option(filter, filter));
    keepPresses(this.#filter);
    this.#filter.addEventListener("change", () => void acts.look(0));
    const head = part("div", "zimage-captions-head");
    this.element.addEventListener("keydown", (event) => this.#type(event));
    head.append(this.#count, this.#filter, this.#previous, this.#range, this.#next);
    this.element.append(head, this.#body);
  }

  get filter() {
    return /** @type {Filter} */ (this.#filter.value);
  }

  /** The table goes: what is typed is saved where it was typed. */
  leave() {
    for (const view of this.#rows.values()) view.leave();
  }

  /** Rows that stay keep their elements, so that a box that is typed into keeps the focus. @param {Page} page @param {Words} words */
  show({ rows, first, matching }, words) {
    const { previous, next, from, to } = pageOf({ first, shown: rows.length, matching, size: SIZE });
    this.#page = { previous, next };
    this.element.setAttribute("aria-label", words.table);
    this.#count.textContent = words.count;
    this.#filter.setAttribute("aria-label", words.filter);
    for (const option of this.#filter.options) option.textContent = words[/** @type {Filter} */ (option.value)];
    label(this.#previous, words.previous, previous === null);
    label(this.#next, words.next, next === null);
    this.#range.textContent = words.range({ from, to, matching });
    this.#place(rows, words);
  }

  /** @param {Row[]} rows @param {Words} words */
  #place(rows, words) {
    const shown = new Map(rows.map((row) => [keyOf(row), this.#rows.get(keyOf(row)) ?? this.#row(row)]));
    for (const [key, view] of this.#rows) {
      if (shown.has(key)) continue;
      view.leave();
      view.element.remove();
    }
    this.#rows = shown;
    rows.forEach((row, index) => {
      const view = /** @type {RowView} */ (shown.get(keyOf(row)));
      view.show(row, words);
      if (this.#body.children[index] !== view.element) {
        this.#body.insertBefore(view.element, this.#body.children[index] ?? null);
      }
    });
  }

  /** @param {Row} row */
  #row(row) {
    return new RowView(row, {
      change: (change, changed, value) => this.#change(change, changed, value),
      after: (left) => void this.#goAfter(left),
      turn: (way) => void this.#turn(way, way === "next" ? 0 : SIZE - 1),
    });
  }

  /** The row that follows when this one leaves the page takes its place. @param {import("./row_view.mjs").Change} change @param {Row} row @param {string | boolean} value */
  async #change(change, row, value) {
    const keys = [...this.#rows.keys()];
    this.#follows = keys[keys.indexOf(keyOf(row)) + 1];
    return this.#acts.change(change, row, value);
  }

  /** @type {string | undefined} */
  #follows;

  /** @param {Row} left */
  async #goAfter(left) {
    const keys = [...this.#rows.keys()];
    const at = keys.indexOf(keyOf(left));
    const next = at >= 0 ? keys[at + 1] : this.#follows;
    const view = next === undefined ? undefined : this.#rows.get(next);
    if (view) view.focus();
    else if (at < 0) [...this.#rows.values()].at(0)?.focus();
    else await this.#turn("next", 0);
  }

  /** Keys of buttons and the list; those of boxes do not come here. @param {KeyboardEvent} event */
  #type(event) {
    event.stopPropagation();
    const meaning = meaningOf(event);
    if (meaning !== "previous" && meaning !== "next") return;
    event.preventDefault();
    void this.#turn(meaning, 0);
  }

  /** @param {"previous" | "next"} way @param {number} index of the row that gets the focus */
  async #turn(way, index) {
    const first = this.#page[way];
    if (first === null) return;
    await this.#acts.look(first);
    [...this.#rows.values()].at(Math.min(index, this.#rows.size - 1))?.focus();
  }

  /** @param {string} sign @param {"previous" | "next"} way */
  #turning(sign, way) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    keepPresses(button);
    button.addEventListener("click", () => {
      const first = this.#page[way];
      if (first !== null) void this.#acts.look(first);
    });
    return button;
  }
}

/** @param {HTMLButtonElement} button @param {string} text @param {boolean} isOff */
function label(button, text, isOff) {
  button.title = text;
  button.setAttribute("aria-label", text);
  button.disabled = isOff;
}
