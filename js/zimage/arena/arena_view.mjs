// @ts-check
/** Two pictures to choose from, what was chosen last, and the standing of the contestants. It knows nothing of nodes. */
import { barsOf, meaningOf } from "./arena_keys.mjs";
import { showLarge } from "./large_view.mjs";
import { keepPresses, part } from "../page/elements.mjs";

/** @typedef {import("./arena_keys.mjs").Standing} Standing */
/** @typedef {{id: string, prompt: string, left: string, right: string}} Pair with the addresses of its pictures */
/**
 * @typedef {object} Shown
 * @property {Pair | null} pair
 * @property {string} empty said where no pair waits
 * @property {string} count how many wait, and how many votes there are
 * @property {string} last the last vote; empty without one
 * @property {Standing[]} standings
 */
/** @typedef {{choose: string, left: string, right: string, draw: string, undo: string, enlarge: string, standings: string, record: (each: Standing) => string}} Words */
/** @typedef {import("./arena_keys.mjs").Act} Act */

const KEY_OF = { left: "← 1", right: "2 →" };

export class ArenaView {
  element = document.createElement("div");
  #prompt = part("div", "zimage-arena-prompt");
  #pictures = part("div", "zimage-arena-pictures");
  #sides = { left: this.#side("left"), right: this.#side("right") };
  #empty = part("div", "zimage-arena-empty");
  #draw = this.#button("draw");
  #undo = this.#button("undo");
  #enlarge = this.#button("enlarge");
  #count = part("span", "zimage-arena-count");
  #last = part("div", "zimage-arena-last");
  #table = part("div", "zimage-arena-standings");
  /** @type {(() => void) | null} closes the large view, where it is open */
  #close = null;
  /** @type {(act: Exclude<Act, "enlarge">) => void} */
  #act;

  /** @param {(act: Exclude<Act, "enlarge">) => void} act called with the vote or undo that a click or a key asks for */
  constructor(act) {
    this.#act = act;
    this.element.className = "zimage-arena";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "group");
    this.#last.setAttribute("aria-live", "polite");
    this.#table.setAttribute("role", "table");
    this.#pictures.append(this.#sides.left.button, this.#sides.right.button);
    const row = part("div", "zimage-arena-buttons");
    row.append(this.#draw, this.#undo, this.#enlarge, this.#count);
    this.element.append(this.#prompt, this.#pictures, this.#empty, row, this.#last, this.#table);
    this.#listen();
  }

  /** @param {Shown} shown @param {Words} words */
  show({ pair, empty, count, last, standings }, words) {
    this.element.setAttribute("aria-label", words.choose);
    this.#prompt.textContent = this.#prompt.title = pair?.prompt ?? "";
    this.#prompt.hidden = !pair?.prompt;
    this.#pictures.hidden = !pair;
    for (const side of /** @type {const} */ (["left", "right"])) {
      const { button, image } = this.#sides[side];
      button.setAttribute("aria-label", words[side]);
      if (pair && image.getAttribute("src") !== pair[side]) image.src = pair[side];
    }
    this.#empty.textContent = empty;
    this.#empty.hidden = Boolean(pair);
    label(this.#draw, words.draw, !pair);
    label(this.#undo, words.undo, !last);
    label(this.#enlarge, words.enlarge, false);
    this.#count.textContent = count;
    this.#last.textContent = last;
    this.#table.setAttribute("aria-label", words.standings);
    this.#table.replaceChildren(...rowsOf(standings, words));
  }

  /** Take the keys from now on. */
  #focus() {
    this.element.focus({ preventScroll: true });
  }

  /** @param {Act} act */
  #do(act) {
    if (act !== "enlarge") this.#act(act);
    else if (this.#close) this.#close();
    else this.#close = showLarge(this.element, () => this.#return());
    this.#focus();
  }

  #return() {
    this.#close = null;
    this.#focus();
  }

  #listen() {
    for (const kind of ["pointerdown", "mousedown", "click", "dblclick"]) {
      this.#pictures.addEventListener(kind, (event) => event.stopPropagation());
    }
    this.element.addEventListener("keydown", (event) => this.#type(event));
  }

  /** Buttons that have the focus keep their own keys. @param {KeyboardEvent} event */
  #type(event) {
    const meaning = meaningOf(event);
    const isPressing = event.target !== this.element && (event.key === " " || event.key === "Enter");
    if (meaning === null || isPressing) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.#do(meaning);
  }

  /** @param {"left" | "right"} side */
  #side(side) {
    const button = this.#button(side);
    const image = document.createElement("img");
    image.alt = "";
    image.draggable = false;
    const key = part("span", "zimage-arena-key");
    key.textContent = KEY_OF[side];
    key.setAttribute("aria-hidden", "true");
    button.append(image, key);
    return { button, image };
  }

  /** @param {Act} act */
  #button(act) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.act = act;
    keepPresses(button);
    button.addEventListener("click", () => this.#do(act));
    return button;
  }
}

/** @param {Standing[]} standings @param {Words} words */
function rowsOf(standings, words) {
  const bars = barsOf(standings);
  return standings.map((each, index) => {
    const row = part("div", "zimage-arena-row");
    row.setAttribute("role", "row");
    const bar = part("span", "zimage-arena-bar");
    const { from, to, at } = bars[index];
    bar.style.setProperty("--from", String(from));
    bar.style.setProperty("--to", String(to));
    bar.style.setProperty("--at", String(at));
    row.append(cell("name", each.contestant), bar, cell("rating", ratingOf(each)), cell("record", words.record(each)));
    row.title = `${each.contestant}: ${ratingOf(each)}, ${words.record(each)}`;
    return row;
  });
}

/** @param {Standing} standing */
function ratingOf({ rating, low, high }) {
  return `${Math.round(rating)} (${Math.round(low)}–${Math.round(high)})`;
}

/** @param {string} name @param {string} text */
function cell(name, text) {
  const element = part("span", `zimage-arena-${name}`);
  element.setAttribute("role", "cell");
  element.textContent = text;
  return element;
}

/** @param {HTMLButtonElement} button @param {string} text @param {boolean} isOff */
function label(button, text, isOff) {
  button.textContent = button.title = text;
  button.disabled = isOff;
}
