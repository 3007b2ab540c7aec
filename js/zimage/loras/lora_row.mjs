// @ts-check
/** The elements of one row of Z-Image LoRA List: switch, picture, name, strength, place, removal, and words below. */
import { keepPresses } from "../page/elements.mjs";
import { message } from "../page/comfyui.mjs";
import { showPreview } from "./preview.mjs";

/** @typedef {import("./lora_text.mjs").Row} Row */
/**
 * @typedef {object} Changes what the controls of a row do
 * @property {(isOn: boolean) => void} turn
 * @property {(button: HTMLElement) => void} choose
 * @property {(strength: number) => void} weigh while it is typed
 * @property {() => void} settle when it has been typed
 * @property {(direction: -1 | 1) => void} move
 * @property {() => void} remove
 * @property {(word: string) => void} use a trigger word
 */
/** @typedef {{isFirst: boolean, isLast: boolean, isMissing: boolean, card: import("./lora_cards.mjs").Card}} Place */

const TAIL = 10; // characters at the end of a name that are always shown
const STEP = 0.05;

/** @param {Row} row @param {Place} place @param {Changes} changes */
export function loraRow(row, { isFirst, isLast, isMissing, card }, changes) {
  const element = document.createElement("div");
  element.className = "zimage-lora";
  element.classList.toggle("zimage-off", !row.isOn);
  const name = row.note || row.name;
  const parts = row.note
    ? [textOf("zimage-note", row.note, row.note)]
    : [switchOf(row, changes), ...previewOf(row, card), nameOf(row, isMissing, changes), strengthOf(row, changes)];
  const up = button("up", "↑", message("moveUp", { name }), () => changes.move(-1));
  const down = button("down", "↓", message("moveDown", { name }), () => changes.move(1));
  up.disabled = isFirst;
  down.disabled = isLast;
  element.append(...parts, up, down, button("remove", "✕", message("remove", { name }), changes.remove));
  if (!row.note) element.append(...belowOf(row), ...wordsOf(row, card, changes));
  return element;
}

/**
 * @param {string} control its name among the controls of a row
 * @param {string} text
 * @param {string} title
 * @param {(button: HTMLElement) => void} onClick
 */
export function button(control, text, title, onClick) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.addEventListener("click", () => onClick(element));
  return asControl(element, control, title);
}

/** @param {Row} row @param {Changes} changes */
function switchOf(row, changes) {
  const element = document.createElement("input");
  element.type = "checkbox";
  element.checked = row.isOn;
  element.addEventListener("change", () => changes.turn(element.checked));
  return asControl(element, "switch", message("useLora", { name: row.name }));
}

/** @param {Row} row @param {import("./lora_cards.mjs").Card} card */
function previewOf({ name }, { preview }) {
  if (!preview) return [];
  const element = button("preview", "", message("previewOf", { name }), () => {});
  showPreview(element, preview);
  return [element];
}

/** A name that gives way in its middle, where there is no room for all of it. @param {Row} row @param {boolean} isMissing @param {Changes} changes */
function nameOf({ name }, isMissing, changes) {
  const title = message(isMissing ? "missingLora" : "changeLora", { name });
  const element = button("name", "", title, changes.choose);
  element.classList.toggle("zimage-warning", isMissing);
  const stem = name.replace(/\.safetensors$/i, "");
  const letters = [...stem];
  element.append(textOf("zimage-head", letters.slice(0, -TAIL).join("")), textOf("zimage-tail", letters.slice(-TAIL).join("")));
  return element;
}

/** @param {Row} row @param {Changes} changes */
function strengthOf({ name, strength }, changes) {
  const element = document.createElement("input");
  element.type = "number";
  element.step = String(STEP);
  let written = Number.isNaN(strength) ? "" : String(strength);
  const show = () => {
    element.value = written;
    element.setAttribute("aria-invalid", String(written === ""));
  };
  show();
  element.addEventListener("input", () => {
    if (element.value === "") return; // no number yet
    written = String(element.valueAsNumber);
    changes.weigh(element.valueAsNumber);
  });
  element.addEventListener("change", () => {
    show();
    changes.settle();
  });
  return asControl(element, "strength", message("strengthOf", { name }));
}

/** What stands after the strength, and in its place why a run would stop there. @param {Row} row */
function belowOf({ written, rest, isOn, isRead, strength }) {
  if (isOn && Number.isNaN(strength)) return [textOf("zimage-rest zimage-warning", message("unreadStrength", { written }))];
  if (!rest) return [];
  if (!isOn || isRead) return [textOf("zimage-rest", rest, rest)];
  return [textOf("zimage-rest zimage-warning", message("unreadRest", { rest }), rest)];
}

/** The trigger words of a LoRA that is on, each to be used with a click. @param {Row} row @param {import("./lora_cards.mjs").Card} card @param {Changes} changes */
function wordsOf({ isOn }, { words }, changes) {
  if (!isOn || !words.length) return [];
  const element = document.createElement("div");
  element.className = "zimage-words";
  element.append(...words.map((word) => button("word", word, message("useWord", { word }), () => changes.use(word))));
  return [element];
}

/** @param {string} className @param {string} text @param {string} [title] */
function textOf(className, text, title = "") {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  element.title = title;
  return element;
}

/**
 * @template {HTMLElement} T
 * @param {T} element
 * @param {string} control
 * @param {string} title
 */
function asControl(element, control, title) {
  element.dataset.control = control;
  element.title = title;
  element.setAttribute("aria-label", title);
  keepPresses(element);
  return element;
}
