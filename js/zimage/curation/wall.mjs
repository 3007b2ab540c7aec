// @ts-check
/** A wall of pictures on a node. What a person chooses stands in the node's own text, as lines that anyone can write. */
import { verdictsIn, withVerdict } from "./choices.mjs";
import { SIZE, WallView } from "./wall_view.mjs";
import { asOneStep, language, message, request } from "../page/comfyui.mjs";
import { part } from "../page/elements.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";
import { inLanguage } from "../runs/translation.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {import("./choices.mjs").Verdict} Verdict */
/** @typedef {import("./wall_view.mjs").Picture} Picture */
/** @typedef {{folder?: string, groups: Picture[][], names?: string[]}} Found names are headings of the groups */
/**
 * @typedef {object} Kind
 * @property {string} output of the node, in which the wall is told
 * @property {"wall" | "proposals"} words of the page, by which their names begin
 * @property {(found: any) => HTMLElement} [above] what is shown above it
 */

const CHOICES = "choices";
const LEAST_WIDTH = 400; // pixels of a new node

/** @param {any} node @param {Panel} panel @param {Kind} kind */
export function addWallOf(node, panel, kind) {
  const wall = new WallOnNode(node, panel, kind);
  watch({ node, state: () => wall.state, update: () => wall.show() });
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {Record<string, any> | null} */ output) {
    previous?.apply(this, arguments);
    const [found] = output?.[kind.output] ?? [];
    if (found) wall.begin(found);
  };
}

class WallOnNode {
  #view = new WallView({
    choose: (picture, verdict) => this.#choose(picture, verdict),
    undo: () => this.#undo(),
    look: (first) => this.#look(first),
  });
  /** @type {Found | null} */
  #found = null;
  #first = 0;
  #runs = 0;
  #asked = ""; // for which thumbnails
  /** @type {string[]} the text before each click */
  #before = [];
  /** @type {any} */
  #node;
  /** @type {Panel} */
  #panel;
  /** @type {Kind} */
  #kind;
  #above = part("div", "zimage-wall-above");
  #element = part("div", "zimage-wall-whole");

  /** @param {any} node @param {Panel} panel @param {Kind} kind */
  constructor(node, panel, kind) {
    this.#node = node;
    this.#panel = panel;
    this.#kind = kind;
    this.#element.append(this.#above, this.#view.element);
    panel.growWith(this.#element, LEAST_WIDTH);
  }

  get state() {
    return JSON.stringify([this.#text, this.#runs, this.#first, language()]);
  }

  get #text() {
    return String(valueOf(this.#node, CHOICES) ?? "");
  }

  /** @param {Found} found */
  begin(found) {
    this.#found = found;
    this.#first = Math.min(this.#first, Math.floor(Math.max(0, found.groups.length - 1) / SIZE) * SIZE);
    this.#runs += 1;
    void this.show();
  }

  /** Show the page of groups; false if the server does not answer. */
  async show() {
    if (!this.#found) return true;
    const { groups, names = [] } = this.#found;
    if (this.#kind.above) this.#above.replaceChildren(this.#kind.above(this.#found));
    this.#view.element.hidden = !groups.length;
    if (!groups.length) {
      this.#panel.show("wall", { text: message(`${this.#kind.words}Empty`), content: this.#element });
      return true;
    }
    const shown = groups.slice(this.#first, this.#first + SIZE);
    const verdicts = verdictsIn(this.#text);
    const verdict = (/** @type {Picture} */ picture) => verdicts.get(picture.name) ?? proposedFor(picture);
    const dropped = groups.flat().filter((picture) => verdict(picture) === "drop").length;
    this.#view.show(
      { groups: shown, headings: names.slice(this.#first, this.#first + SIZE), first: this.#first, matching: groups.length, canUndo: this.#before.length > 0, verdict },
      words(this.#kind.words, groups.length, dropped),
    );
    this.#panel.show("wall", { text: "", content: this.#element });
    this.#panel.fit();
    return this.#fill(shown.flat().filter(({ image }) => !image).map(({ name }) => name));
  }

  /** @param {string[]} names */
  async #fill(names) {
    if (!names.length) return true;
    const asked = JSON.stringify([this.#runs, names]);
    if (asked === this.#asked) return true;
    this.#asked = asked;
    const { data, isOffline } = await request("thumbnails", { folder: this.#found?.folder, names: names.join("\n") });
    if (asked === this.#asked && data) this.#view.fill(data.thumbnails);
    if (isOffline) this.#asked = "";
    return !isOffline;
  }

  /** @param {Picture} picture @param {Verdict} verdict */
  #choose(picture, verdict) {
    const text = withVerdict(this.#text, picture.name, verdict, proposedFor(picture));
    if (text === this.#text) return;
    this.#before.push(this.#text);
    this.#write(text);
  }

  #undo() {
    const text = this.#before.pop();
    if (text !== undefined) this.#write(text);
  }

  /** @param {string} text */
  #write(text) {
    asOneStep(() => setValues(this.#node, { [CHOICES]: text }));
    void this.show();
  }

  /** @param {number} first */
  #look(first) {
    this.#first = first;
    void this.show();
  }
}

/** What the search says of a picture. @param {Picture} picture @returns {Verdict} */
function proposedFor({ kind }) {
  return kind === "kept" ? "keep" : "drop";
}

/** @param {Kind["words"]} kind @param {number} groups @param {number} dropped @returns {import("./wall_view.mjs").Words} */
function words(kind, groups, dropped) {
  return {
    wall: message(`${kind}Title`),
    undo: message("wallUndo"),
    previous: message("captionsPrevious"),
    next: message("captionsNext"),
    count: message(`${kind}Count`, { groups, dropped }),
    range: (page) => message(`${kind}Range`, page),
    told: ({ name, why }, verdict) => {
      const reason = why && `: ${inLanguage(why, language())}`;
      return message(verdict === "keep" ? "wallKept" : "wallDropped", { name, reason });
    },
  };
}
