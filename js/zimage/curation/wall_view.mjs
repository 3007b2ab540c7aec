// @ts-check
/** A wall of pictures in groups that belong together: a click, K or D keeps or drops one. It knows nothing of nodes. */
import { keepPresses, part } from "../page/elements.mjs";
import { pageOf } from "../captions/table_keys.mjs";

/** @typedef {import("./choices.mjs").Verdict} Verdict */
/** @typedef {{name: string, kind: "kept" | "exact" | "near", size: string, why: string, image?: string}} Picture */
/** @typedef {{wall: string, undo: string, previous: string, next: string, count: string, range: (page: {from: number, to: number, matching: number}) => string, told: (picture: Picture, verdict: Verdict) => string}} Words */
/**
 * @typedef {object} Acts
 * @property {(picture: Picture, verdict: Verdict) => void} choose
 * @property {() => void} undo
 * @property {(first: number) => void} look at the groups from that one on
 */

export const SIZE = 6; // groups on a page
const KEYS = /** @type {Record<string, Verdict>} */ ({ k: "keep", K: "keep", d: "drop", D: "drop" });
const STEPS = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 });

export class WallView {
  element = part("div", "zimage-wall");
  #groups = part("div", "zimage-wall-groups");
  #count = part("span", "zimage-wall-count");
  #range = part("span", "zimage-wall-range");
  #undo = document.createElement("button");
  #previous = document.createElement("button");
  #next = document.createElement("button");
  /** @type {Map<string, {button: HTMLButtonElement, image: HTMLImageElement, size: HTMLElement, picture: Picture, verdict: Verdict}>} */
  #tiles = new Map();
  #page = pageOf({ first: 0, shown: 0, matching: 0, size: SIZE });
  /** @type {Acts} */
  #acts;

  /** @param {Acts} acts */
  constructor(acts) {
    this.#acts = acts;
    this.element.setAttribute("role", "group");
    for (const [button, sign, act] of /** @type {const} */ ([
      [this.#undo, "↶", () => acts.undo()],
      [this.#previous, "‹", () => this.#turn(this.#page.previous)],
      [this.#next, "›", () => this.#turn(this.#page.next)],
    ])) {
      button.type = "button";
      button.textContent = sign;
      keepPresses(button);
      button.addEventListener("click", act);
    }
    const row = part("div", "zimage-wall-row");
    row.append(this.#count, this.#undo, this.#previous, this.#range, this.#next);
    this.element.append(this.#groups, row);
    this.element.addEventListener("keydown", (event) => this.#type(event));
  }

  /**
   * @param {{groups: Picture[][], headings?: string[], first: number, matching: number, canUndo: boolean, verdict: (picture: Picture) => Verdict}} shown
   * @param {Words} words
   */
  show({ groups, headings = [], first, matching, canUndo, verdict }, words) {
    this.element.setAttribute("aria-label", words.wall);
    this.#page = pageOf({ first, shown: groups.length, matching, size: SIZE });
    const names = groups.flat().map(({ name }) => name);
    if (JSON.stringify(names) !== JSON.stringify([...this.#tiles.keys()])) this.#build(groups, headings);
    for (const tile of this.#tiles.values()) {
      tile.verdict = verdict(tile.picture);
      tile.button.dataset.verdict = tile.verdict;
      tile.button.setAttribute("aria-pressed", String(tile.verdict === "keep"));
      tile.button.title = words.told(tile.picture, tile.verdict);
      tile.button.setAttribute("aria-label", tile.button.title);
    }
    this.#count.textContent = words.count;
    this.#range.textContent = matching > SIZE ? words.range({ ...this.#page, matching }) : "";
    label(this.#undo, words.undo, !canUndo);
    label(this.#previous, words.previous, this.#page.previous === null);
    label(this.#next, words.next, this.#page.next === null);
    this.#previous.hidden = this.#next.hidden = matching <= SIZE;
  }

  /** The small pictures, when the server has made them. @param {Record<string, string>} addresses by name */
  fill(addresses) {
    for (const [name, address] of Object.entries(addresses)) {
      const tile = this.#tiles.get(name);
      if (tile && address) tile.image.src = address;
    }
  }

  /** @param {Picture[][]} groups @param {string[]} headings of the groups, or none */
  #build(groups, headings) {
    this.#tiles.clear();
    const rows = groups.map((group, number) => {
      const row = part("div", "zimage-wall-group");
      if (headings[number]) row.append(heading(headings[number]));
      row.append(...group.map((picture) => this.#tile(picture)));
      return row;
    });
    this.#groups.replaceChildren(...rows);
  }

  /** @param {Picture} picture */
  #tile(picture) {
    const button = part("button", "zimage-wall-picture");
    button.type = "button";
    const image = document.createElement("img");
    image.alt = "";
    image.draggable = false;
    if (picture.image) image.src = picture.image;
    const size = part("span", "zimage-wall-size");
    size.textContent = picture.size;
    button.append(image, size);
    keepPresses(button);
    const tile = { button, image, size, picture, verdict: /** @type {Verdict} */ ("keep") };
    button.addEventListener("click", () => this.#acts.choose(picture, tile.verdict === "keep" ? "drop" : "keep"));
    this.#tiles.set(picture.name, tile);
    return button;
  }

  /** @param {KeyboardEvent} event */
  #type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = [...this.#tiles.values()];
    const at = tiles.findIndex(({ button }) => button === event.target);
    const { key } = event;
    if (Object.hasOwn(KEYS, key) && at >= 0) this.#acts.choose(tiles[at].picture, KEYS[key]);
    else if (Object.hasOwn(STEPS, key) && at >= 0) tiles[at + STEPS[key]]?.button.focus({ preventScroll: true });
    else if (key === "z" || key === "Z") this.#acts.undo();
    else if (key === "PageUp") this.#turn(this.#page.previous);
    else if (key === "PageDown") this.#turn(this.#page.next);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number | null} first */
  #turn(first) {
    if (first !== null) this.#acts.look(first);
  }
}

/** @param {string} text */
function heading(text) {
  const element = part("div", "zimage-wall-heading");
  element.textContent = text;
  return element;
}

/** @param {HTMLButtonElement} button @param {string} text @param {boolean} isOff */
function label(button, text, isOff) {
  button.title = text;
  button.setAttribute("aria-label", text);
  button.disabled = isOff;
}
