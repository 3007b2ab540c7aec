// @ts-check
/** The odd pictures of a folder on Z-Image Profile Folder: a button for each proposed threshold leaves them out. */
import { isThere, toggled } from "./choices.mjs";
import { asOneStep, language, message, request } from "../page/comfyui.mjs";
import { keepPresses, part } from "../page/elements.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";

/** @typedef {import("../page/panel.mjs").Panel} Panel */
/** @typedef {{condition: string, count: number, names: string[]}} Finding */
/** @typedef {{folder: string, findings: Finding[]}} Found */

export const PROFILED = "ZImageProfileFolder";
const LEFT_OUT = "leave_out";
const LEAST_WIDTH = 400; // pixels of a new node

/** @param {any} node @param {Panel} panel */
export function addFindings(node, panel) {
  const findings = new FindingsOnNode(node, panel);
  watch({ node, state: () => findings.state, update: () => findings.show() });
  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_profile?: Found[]} | null} */ output) {
    previous?.apply(this, arguments);
    const [found] = output?.zimage_profile ?? [];
    if (found) void findings.begin(found);
  };
}

class FindingsOnNode {
  #element = part("div", "zimage-findings");
  /** @type {Found | null} */
  #found = null;
  /** @type {Record<string, string>} small pictures by name */
  #pictures = {};
  #runs = 0;
  /** @type {any} */
  #node;
  /** @type {Panel} */
  #panel;

  /** @param {any} node @param {Panel} panel */
  constructor(node, panel) {
    this.#node = node;
    this.#panel = panel;
    panel.growWith(this.#element, LEAST_WIDTH);
  }

  get state() {
    return JSON.stringify([this.#text, this.#runs, language()]);
  }

  get #text() {
    return String(valueOf(this.#node, LEFT_OUT) ?? "");
  }

  /** @param {Found} found */
  async begin(found) {
    this.#found = found;
    const names = [...new Set(found.findings.flatMap((each) => each.names))].join("\n");
    const { data } = names ? await request("thumbnails", { folder: found.folder, names }) : { data: null };
    this.#pictures = data?.thumbnails ?? {};
    this.#runs += 1;
    this.show();
  }

  show() {
    if (!this.#found) return;
    const focused = this.#buttons.findIndex((button) => button === document.activeElement);
    this.#element.replaceChildren(...this.#found.findings.map((each) => this.#row(each)));
    this.#buttons[focused]?.focus({ preventScroll: true });
    const hasAny = this.#found.findings.length > 0;
    this.#panel.show("findings", hasAny ? { text: message("findingsTitle"), content: this.#element } : null);
    this.#panel.fit();
  }

  get #buttons() {
    return [...this.#element.querySelectorAll("button")];
  }

  /** @param {Finding} finding */
  #row({ condition, count, names }) {
    const row = part("div", "zimage-finding");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${condition} (${count})`;
    const isLeftOut = isThere(this.#text, condition);
    button.setAttribute("aria-pressed", String(isLeftOut));
    button.title = message(isLeftOut ? "findingOn" : "findingOff", { condition, count });
    button.setAttribute("aria-label", button.title);
    keepPresses(button);
    button.addEventListener("click", () => this.#toggle(condition));
    row.append(button, ...names.map((name) => this.#picture(name)));
    return row;
  }

  /** @param {string} name */
  #picture(name) {
    const image = document.createElement("img");
    image.src = this.#pictures[name] ?? "";
    image.alt = image.title = name;
    image.draggable = false;
    return image;
  }

  /** @param {string} condition */
  #toggle(condition) {
    asOneStep(() => setValues(this.#node, { [LEFT_OUT]: toggled(this.#text, condition) }));
    this.show();
  }
}
