// @ts-check
/** The table of captions on Z-Image Caption Folder. The server keeps them, and what a person does goes there at once. */
import { SIZE, TableView } from "./table_view.mjs";
import { language, message, onServerEvent, queueNode, request, rootGraph } from "../page/comfyui.mjs";
import { chainOf, classOf, nodeByExecutionId } from "../page/graph.mjs";
import { inLanguage } from "../runs/translation.mjs";
import { watch } from "../page/watch.mjs";
import { valueOf, valuesOf } from "../page/widgets.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {import("./row_view.mjs").Row} Row */
/** @typedef {import("./row_view.mjs").State} State */
/** @typedef {import("./row_view.mjs").Change} Change */
/** @typedef {{rows: Row[], first: number, matching: number, states: Record<State, number>, is_begun: boolean}} Answer */

export const CAPTIONS = "ZImageCaptionFolder";
const DECIDING = /** @type {const} */ (["folder", "kind", "language", "targets", "text_files"]); // whose captions
const LEAST_WIDTH = 460; // pixels of a new node
const PAUSE = 1500; // milliseconds between two looks at a job that runs

/** @type {any} the node that runs */
let running = null;
let ends = 0; // runs of such nodes that have ended, also quicker than anybody looked

/** ComfyUI tells which node runs next; none when a run has ended, well or not. */
export function watchCaptions() {
  onServerEvent("executing", (id) => {
    if (running && classOf(running) === CAPTIONS) ends += 1;
    running = id == null ? null : nodeByExecutionId(rootGraph(), id);
  });
}

/** @param {any} node @param {Panel} panel */
export function addCaptions(node, panel) {
  const captions = new CaptionsOnNode(node, panel);
  watch({ node, state: () => captions.state, update: () => captions.refresh() });
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_captioned?: string[]} | null} */ output) {
    previous?.apply(this, arguments);
    const [only] = output?.zimage_captioned ?? [];
    if (only !== undefined) captions.only = only;
  };
}

class CaptionsOnNode {
  #view = new TableView({
    change: (change, row, value) => this.#change(change, row, value),
    look: (first) => this.#look(first),
  });
  only = ""; // names of the pictures that another node listed in the last run, one a line
  #first = 0;
  #changing = 0; // changes that are not answered yet; what is asked meanwhile might be told as it was before
  #isRefused = false; // the last change
  #asked = 0; // questions so far; an answer that another question has overtaken is not shown
  /** @type {any} */
  #node;
  /** @type {Panel} */
  #panel;

  /** @param {any} node @param {Panel} panel */
  constructor(node, panel) {
    this.#node = node;
    this.#panel = panel;
    panel.growWith(this.#view.element, LEAST_WIDTH);
  }

  get state() {
    const beat = running === this.#node ? Math.floor(performance.now() / PAUSE) : null;
    return JSON.stringify([this.#place, language(), beat, ends]);
  }

  /** Pictures that another node lists lie in the folder at the beginning of its chain. */
  get #place() {
    const place = valuesOf(this.#node, DECIDING);
    const first = chainOf(this.#node, "pictures").at(-1);
    return first ? { ...place, folder: valueOf(first, "folder"), only: this.only } : place;
  }

  /** Show the page that is looked at; false if it has to be asked again. */
  async refresh() {
    return !this.#changing && this.#ask("captions", {});
  }

  /** @param {number} first */
  async #look(first) {
    this.#first = first;
    await this.#ask("captions", {});
  }

  /** A caption that is asked anew is written by a run of this node. @param {Change} change @param {Row} row @param {string | boolean} value */
  async #change(change, { place, picture, target, text }, value) {
    const named = change === "edit" ? { text: value } : change === "approve" ? { approved: value } : {};
    const isHere = sameAs(place, this.#place);
    const what = { ...place, picture, target, before: text, ...named };
    this.#changing += 1;
    if (isHere) await this.#ask(`captions/${change}`, what);
    else await request(`captions/${change}`, { ...this.#page, ...what }); // the widgets have moved on meanwhile
    this.#changing -= 1;
    if (change === "redo" && isHere && !this.#isRefused) await queueNode(this.#node);
  }

  get #page() {
    return { shown: this.#view.filter, first: this.#first, count: SIZE };
  }

  /** @param {Parameters<typeof request>[0]} path @param {Record<string, unknown>} what */
  async #ask(path, what) {
    const asked = ++this.#asked;
    const place = this.#place;
    const { data, isOffline } = await request(path, { ...place, ...this.#page, ...what });
    for (const row of data?.rows ?? []) row.place = place;
    this.#isRefused = !data || data.rows.some((/** @type {Row} */ row) => row.refused);
    if (!isOffline && asked === this.#asked) this.#show(data);
    return !isOffline;
  }

  /** @param {Answer | null} answer */
  #show(answer) {
    if (!answer?.is_begun) this.#view.leave();
    if (!answer) return this.#panel.show("captions", null);
    if (!answer.is_begun) {
      const waiting = answer.states.waiting;
      return this.#panel.show("captions", { text: message("captionsEmpty", { waiting }) });
    }
    this.#first = answer.first;
    this.#view.show(answer, words(answer.states));
    this.#panel.show("captions", { text: "", content: this.#view.element });
    this.#panel.fit();
  }
}

/** @param {Record<State, number>} states @returns {import("./table_view.mjs").Words} */
function words({ waiting, failed, written, approved }) {
  const told = written + approved;
  return {
    table: message("captionsTable"),
    count: message("captionsCount", { told, total: told + waiting + failed, approved, failed }),
    filter: message("captionsFilter"),
    all: message("captionsAll"),
    open: message("captionsOpen"),
    failed: message("captionsFailed"),
    previous: message("captionsPrevious"),
    next: message("captionsNext"),
    range: (page) => message("captionsRange", page),
    approve: message("captionApprove"),
    approved: message("captionApproved"),
    redo: message("captionRedo"),
    caption: (name) => message("captionOf", { name }),
    told: toldOf,
  };
}

/** @param {unknown} one @param {unknown} other */
function sameAs(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** @param {Row} row */
function toldOf({ picture, target, state, by, problem, refused }) {
  const name = target ? `${picture} → ${target}` : picture;
  if (refused) return `${name}: ${inLanguage(refused, language())}`;
  if (state === "waiting") return message("captionWaiting", { name });
  if (problem) return `${name}: ${inLanguage(problem, language())}`;
  if (by === "person") return message("captionYours", { name });
  return state === "approved" ? message("captionRight", { name }) : name;
}
