// @ts-check
/**
 * Pictures to vote between on Z-Image Arena and Z-Image Preference. The server keeps pictures and votes, so a page that is
 * opened again goes on.
 */
import { ArenaView } from "./arena_view.mjs";
import { language, message, pictureAddress, request } from "../page/comfyui.mjs";
import { errorText } from "../runs/translation.mjs";
import { watch } from "../page/watch.mjs";
import { valueOf } from "../page/widgets.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {Exclude<import("./arena_keys.mjs").Act, "enlarge">} Act */
/** @typedef {import("./arena_view.mjs").Pair} Pair */
/** @typedef {{filename: string, subfolder: string, type: string}} View */
/** @typedef {{id: string, prompt: string, left: View, right: View}} AskedPair */
/** @typedef {{chosen: string, rejected: string, draw: boolean, side: "left" | "right"}} LastVote */
/** @typedef {{pair: AskedPair | null, next: AskedPair | null, waiting: number, votes: number, last: LastVote | null, standings: import("./arena_keys.mjs").Standing[]}} Answer */

/**
 * What is voted on: the widget that names it, and what is said. Preferences are one person's and have no contestants.
 * @typedef {object} Kind
 * @property {"arena" | "preferences"} kind
 * @property {string} widget
 * @property {"arenaEmpty" | "preferenceEmpty"} empty
 * @property {"arenaCount" | "preferenceCount"} count
 * @property {"arenaChoose" | "preferenceChoose"} choose
 * @property {"arenaDraw" | "preferenceDraw"} draw
 * @property {(last: LastVote) => string} told
 */

/** @type {Record<string, Kind>} */
export const VOTED_ON = {
  ZImageArena: {
    kind: "arena",
    widget: "arena",
    empty: "arenaEmpty",
    count: "arenaCount",
    choose: "arenaChoose",
    draw: "arenaDraw",
    told: contestantsOf,
  },
  ZImagePreference: {
    kind: "preferences",
    widget: "name",
    empty: "preferenceEmpty",
    count: "preferenceCount",
    choose: "preferenceChoose",
    draw: "preferenceDraw",
    told: sideOf,
  },
};
const LEAST_WIDTH = 460; // pixels of a new node

/** @param {any} node @param {Panel} panel @param {Kind} kind */
export function addArena(node, panel, kind) {
  const arena = new ArenaOnNode(node, panel, kind);
  watch({ node, state: () => arena.state, update: () => arena.refresh() });
  const previous = node.onExecuted;
  node.onExecuted = function () {
    previous?.apply(this, arguments);
    arena.begin();
  };
}

class ArenaOnNode {
  #view = new ArenaView((act) => void this.#take(act));
  #runs = 0; // that have ended since the page was opened
  #isBusy = false;
  /** @type {Answer | null} */
  #shown = null;
  /** @type {any} */
  #node;
  /** @type {Panel} */
  #panel;
  /** @type {Kind} */
  #kind;

  /** @param {any} node @param {Panel} panel @param {Kind} kind */
  constructor(node, panel, kind) {
    this.#node = node;
    this.#panel = panel;
    this.#kind = kind;
    panel.growWith(this.#view.element, LEAST_WIDTH);
  }

  get state() {
    return JSON.stringify([this.#name, this.#runs, language()]);
  }

  get #asked() {
    return { arena: this.#name, kind: this.#kind.kind };
  }

  get #name() {
    return valueOf(this.#node, this.#kind.widget);
  }

  /** A run has ended: ask again. */
  begin() {
    this.#runs += 1;
  }

  /** Show what waits; false if the server does not answer. */
  async refresh() {
    const { data, isOffline, refusal } = typeof this.#name === "string" ? await request("arena", this.#asked) : NOTHING;
    if (!isOffline) this.#show(data, refusal);
    return !isOffline;
  }

  /** Vote or undo. What is asked while another answer is awaited would be about a pair nobody has seen. @param {Act} act */
  async #take(act) {
    const pair = this.#shown?.pair;
    if (this.#isBusy || (act !== "undo" && !pair)) return;
    this.#isBusy = true;
    try {
      const { data, isOffline } =
        act === "undo"
          ? await request("arena/undo", this.#asked)
          : await request("arena/vote", { ...this.#asked, pair: pair?.id, choice: act });
      if (data) this.#show(data);
      else if (!isOffline) await this.refresh(); // another page has voted
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {Answer | null} answer @param {string} [refusal] why there is none, such as a damaged file of votes */
  #show(answer, refusal) {
    this.#shown = answer;
    if (!answer) {
      const told = refusal && { text: errorText(refusal, language()), title: refusal, tone: /** @type {const} */ ("error") };
      return this.#panel.show("arena", told || null);
    }
    const { pair, next, waiting, votes, last, standings } = answer;
    if (next) for (const side of [next.left, next.right]) new Image().src = pictureAddress(side);
    const shown = {
      pair: pair && { ...pair, left: pictureAddress(pair.left), right: pictureAddress(pair.right) },
      empty: message(votes ? "arenaDone" : this.#kind.empty),
      count: message(this.#kind.count, { waiting, votes }),
      last: last ? this.#kind.told(last) : "",
      standings,
    };
    this.#view.show(shown, words(this.#kind));
    this.#panel.show("arena", { text: "", content: this.#view.element });
    this.#panel.fit();
  }
}

const NOTHING = { data: null, isOffline: false, refusal: "" };

/** @param {LastVote} last */
function contestantsOf({ chosen, rejected, draw }) {
  return draw ? message("arenaDrawn", { one: chosen, other: rejected }) : message("arenaChosen", { chosen, rejected });
}

/** @param {LastVote} last */
function sideOf({ draw, side }) {
  return message(draw ? "preferenceNeither" : side === "left" ? "preferenceLeft" : "preferenceRight");
}

/** @param {Kind} kind @returns {import("./arena_view.mjs").Words} */
function words({ choose, draw }) {
  return {
    choose: message(choose),
    left: message("arenaLeft"),
    right: message("arenaRight"),
    draw: message(draw),
    undo: message("arenaUndo"),
    enlarge: message("arenaEnlarge"),
    standings: message("arenaStandings"),
    record: ({ wins, draws, losses }) => message("arenaRecord", { wins, draws, losses }),
  };
}
