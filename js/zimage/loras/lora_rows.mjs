// @ts-check
/**
 * The text of Z-Image LoRA List as rows. The text widget stays what is saved, queued and undone: rows are drawn from it
 * whenever it changes, and every control writes to it.
 */
import { openChooser } from "./chooser.mjs";
import { asOneStep, copy, endStep, isAppMode, isOn, language, message, modelFiles, passWheel, toast } from "../page/comfyui.mjs";
import { isLinked } from "../page/graph.mjs";
import { isKnown, knownCard, learnCards } from "./lora_cards.mjs";
import { button, loraRow } from "./lora_row.mjs";
import { canHold, rowsOf, withName, withRow, withRowMoved, withStrength, withSwitch, withoutRow } from "./lora_text.mjs";
import { LORA_ROWS } from "../page/settings.mjs";
import { addWord, promptBoxOf } from "../prompts/prompt_target.mjs";
import { watch } from "../page/watch.mjs";
import { setHidden, setValues, valueOf } from "../page/widgets.mjs";

/** @typedef {{index: number, control: string}} Focus a control of the row at an index; the buttons below are the last one */

export const LISTED = "ZImageLoraList";
const WIDGET = "loras";
const FOLDER = "loras";
const AS_TEXT = "zimage_loras_as_text"; // a property of the node, so that a saved graph opens as it was
const TEXT_ROOM = 160; // pixels beyond the text box's least height
/** @type {Record<string, string>} */
const OPPOSITE = { up: "down", down: "up" }; // has the focus where a row cannot go further
const SLACK = 24; // pixels, a row: a node that is higher than it needs by more was made so by hand
const BELOW = Infinity; // index of the buttons below the rows

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addLoraRows(node, panel) {
  const rows = new LoraRows(node, panel);
  watch({ node, state: () => rows.state, update: () => rows.update() });
}

class LoraRows {
  #element = document.createElement("div");
  /** @type {string[] | null} */
  #files = null;
  #drawn = ""; // the state that the rows show, also while a strength is typed, which must not be drawn over
  #height = 0; // of the node before it was shown as text
  /** @type {any} */
  #node;
  /** @type {import("../page/panel.mjs").Panel} */
  #panel;

  /** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
  constructor(node, panel) {
    this.#node = node;
    this.#panel = panel;
    this.#element.className = "zimage-loras";
    passWheel(this.#element);
    setTimeout(() => this.#hideText()); // when a graph that is being loaded has its links
  }

  get state() {
    return JSON.stringify([this.#isShown, this.#isText, this.#text, language()]);
  }

  async update() {
    if (this.state !== this.#drawn) {
      this.#draw();
      if (this.#isShown && this.#text) this.#files = await modelFiles(FOLDER);
      this.#draw();
    }
    return this.#learn();
  }

  /** Ask about files of rows that nobody has asked about; false if the server does not answer. */
  async #learn() {
    const names = this.#isShown ? rowsOf(this.#text).map((row) => row.name) : [];
    const unknown = names.filter((name) => !isKnown(name) && this.#files?.includes(name));
    if (!unknown.length) return true;
    const isAnswered = await learnCards([...new Set(unknown)]);
    this.#draw();
    return isAnswered;
  }

  /** Not where another node gives the text, nor in App mode, which may show the text box. */
  get #isShown() {
    return isOn(LORA_ROWS) && !isLinked(this.#node, WIDGET) && !isAppMode();
  }

  get #isText() {
    return this.#node.properties?.[AS_TEXT] === true;
  }

  get #text() {
    return String(valueOf(this.#node, WIDGET) ?? "");
  }

  #hideText() {
    setHidden(this.#node, WIDGET, this.#isShown && !this.#isText);
  }

  #draw(focus = this.#focus()) {
    const spare = this.#spare;
    this.#drawn = this.state;
    this.#hideText();
    const rows = this.#isText ? [] : rowsOf(this.#text);
    const elements = rows.map((row, index) => loraRow(row, this.#placeOf(row, index, rows.length), this.#changes(row, index)));
    this.#element.replaceChildren(...elements, this.#below());
    this.#panel.show("loras", this.#isShown ? { text: "", content: this.#element } : null);
    this.#panel.fit();
    if (this.#isShown && !this.#isText && spare < SLACK) this.#shrink(Math.max(0, spare));
    if (focus) this.#focusOn(focus);
  }

  /** Pixels that the node is higher than it needs to be. */
  get #spare() {
    return this.#node.size[1] - this.#node.computeSize()[1];
  }

  /** Leave no more than this where rows have gone. @param {number} spare pixels */
  #shrink(spare) {
    this.#node.setSize([this.#node.size[0], this.#node.computeSize()[1] + spare]);
  }

  /** @param {import("./lora_text.mjs").Row} row @param {number} index @param {number} count */
  #placeOf({ name, isOn }, index, count) {
    const isMissing = isOn && this.#files !== null && !this.#files.includes(name);
    return { isFirst: index === 0, isLast: index === count - 1, isMissing, card: knownCard(name) };
  }

  #below() {
    const element = document.createElement("div");
    const add = (/** @type {string} */ name) => this.#write(withRow(this.#text, name), { index: BELOW, control: "add" });
    const title = message("addLora");
    const other = message(this.#isText ? "loraRows" : "loraText");
    element.append(
      button("add", `+ ${title}`, title, (from) => this.#choose(from, add)),
      button("text", other, other, () => this.#turnOver()),
    );
    return element;
  }

  /** @param {import("./lora_text.mjs").Row} row @param {number} index @returns {import("./lora_row.mjs").Changes} */
  #changes({ line }, index) {
    const rename = (/** @type {string} */ name) => this.#write(withName(this.#text, line, name), { index, control: "name" });
    return {
      turn: (isOn) => this.#write(withSwitch(this.#text, line, isOn)),
      choose: (from) => this.#choose(from, rename),
      weigh: (strength) => this.#type(withStrength(this.#text, line, strength)),
      settle: endStep,
      move: (step) =>
        this.#write(withRowMoved(this.#text, line, step), { index: index + step, control: step < 0 ? "up" : "down" }),
      remove: () => this.#write(withoutRow(this.#text, line)),
      use: (word) => void this.#use(word),
    };
  }

  /** A trigger word goes into the prompt that the model draws, else to the clipboard. @param {string} word */
  async #use(word) {
    const box = promptBoxOf(this.#node);
    let outcome = /** @type {"wordAdded" | "wordThere" | "wordCopied" | "wordNotCopied"} */ ("wordThere");
    if (!box) outcome = (await copy(word)) ? "wordCopied" : "wordNotCopied";
    else asOneStep(() => (outcome = addWord(box, word) ? "wordAdded" : outcome));
    toast("Z-Image", message(outcome, { word }));
  }

  /** @param {string} text @param {Focus} [focus] afterwards; where it was if none is given */
  #write(text, focus) {
    asOneStep(() => setValues(this.#node, { [WIDGET]: text }));
    this.#draw(focus);
    void this.#learn();
  }

  /** @param {string} text */
  #type(text) {
    setValues(this.#node, { [WIDGET]: text });
    this.#drawn = this.state;
  }

  #turnOver() {
    asOneStep(() => {
      if (this.#isText) delete this.#node.properties[AS_TEXT];
      else this.#node.properties[AS_TEXT] = true;
    });
    this.#draw({ index: BELOW, control: "text" });
    this.#resize();
  }

  /** Room for the text box, which takes what the node has left; without it the node is as high as it was. */
  #resize() {
    const [width, height] = this.#node.size;
    const needed = this.#node.computeSize()[1];
    if (this.#isText) this.#height = height;
    this.#node.setSize([width, Math.max(needed, this.#isText ? Math.max(height, needed + TEXT_ROOM) : this.#height || height)]);
  }

  /** @param {HTMLElement} from @param {(name: string) => void} onChoice */
  #choose(from, onChoice) {
    const names = modelFiles(FOLDER);
    void names.then((files) => (this.#files = files));
    const empty = (/** @type {boolean} */ isKnown) => message(isKnown ? "noLoras" : "unanswered");
    const refusal = (/** @type {string} */ name) => (canHold(name) ? "" : message("badLoraName"));
    openChooser(from, { names, label: message("searchLoras"), empty, refusal, onChoice });
  }

  /** Where the focus is, if it is in here. @returns {Focus | undefined} */
  #focus() {
    const focused = document.activeElement;
    if (!(focused instanceof HTMLElement) || !this.#element.contains(focused)) return undefined;
    const index = [...this.#element.children].findIndex((each) => each.contains(focused));
    return { index, control: focused.dataset.control ?? "" };
  }

  /** @param {Focus} focus */
  #focusOn({ index, control }) {
    const { children } = this.#element;
    const part = children[Math.min(index, children.length - 1)];
    const wanted = [control, OPPOSITE[control]].map((each) => part?.querySelector(`[data-control="${each}"]:enabled`));
    const target = wanted.find((each) => each) ?? part?.querySelector("button:enabled");
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  }
}
