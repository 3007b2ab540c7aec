// @ts-check
/** A list that opens at a button, to choose one of many names by typing a part of it; a click elsewhere or Esc closes it. */
import { matching } from "./lora_text.mjs";

/**
 * @typedef {object} Choice
 * @property {Promise<string[] | null>} names null if they are not to be had
 * @property {string} label
 * @property {(isKnown: boolean) => string} empty what is said where none matches
 * @property {(name: string) => string} refusal why a name cannot be chosen; "" if it can
 * @property {(name: string) => void} onChoice
 */

const MAX_SHOWN = 200; // names; a search shows the others
const GAP = 4; // pixels between the button and the list, and around it
const HEIGHT = 320; // pixels, at most; as in panel.css

/** @param {HTMLElement} button @param {Choice} choice */
export function openChooser(button, { names, label, empty, refusal, onChoice }) {
  const list = document.createElement("div");
  const search = document.createElement("input");
  const box = document.createElement("div");
  const place = button.getBoundingClientRect();
  let known = /** @type {string[] | null | undefined} */ (undefined); // until they have come
  let active = 0;
  let isChosen = false; // by Enter, before the names had come

  const options = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=option]:not([aria-disabled])")]);
  /** @param {number} index */
  const activate = (index) => {
    const all = options();
    active = Math.max(0, Math.min(index, all.length - 1));
    all.forEach((each, at) => each.setAttribute("aria-selected", String(at === active)));
    search.setAttribute("aria-activedescendant", all[active]?.id ?? "");
    all[active]?.scrollIntoView({ block: "nearest" });
  };
  const fill = () => {
    const found = matching(known ?? [], search.value).slice(0, MAX_SHOWN);
    list.replaceChildren(...found.map((name, index) => optionOf(name, index, refusal(name))));
    if (!found.length && known !== undefined) list.textContent = empty(known !== null);
    placeAt(box, place);
    activate(0);
  };
  /** @param {string | undefined} name */
  const choose = (name) => {
    if (name === undefined) return;
    box.hidePopover();
    onChoice(name);
  };

  search.type = "search";
  search.placeholder = label;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": "zimage-names" })) {
    search.setAttribute(name, value);
  }
  search.setAttribute("aria-label", label);
  const chooseActive = () => choose(options()[active]?.textContent ?? undefined);
  search.addEventListener("input", fill);
  search.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) activate(active + step);
    else if (event.key === "Enter" && known === undefined) isChosen = true;
    else if (event.key === "Enter") chooseActive();
    else if (event.key === "Escape") box.hidePopover(); // which by itself would empty the search first
    else return;
    event.preventDefault();
  });
  list.id = "zimage-names";
  list.setAttribute("role", "listbox");
  list.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLElement && options().includes(target)) choose(target.textContent ?? undefined);
  });
  box.className = "zimage-chooser";
  box.popover = "auto";
  box.append(search, list);
  box.addEventListener("keydown", (event) => event.stopPropagation()); // the page's own shortcuts
  box.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") box.remove();
  });
  document.body.append(box);
  box.showPopover();
  placeAt(box, place);
  search.focus();
  void names.then((all) => {
    known = all;
    fill();
    if (isChosen && box.isConnected) chooseActive();
  });
}

/** @param {string} name @param {number} index @param {string} refusal */
function optionOf(name, index, refusal) {
  const option = document.createElement("div");
  option.id = `zimage-name-${index}`;
  option.role = "option";
  option.title = name;
  option.textContent = refusal ? `${name} (${refusal})` : name;
  if (refusal) option.setAttribute("aria-disabled", "true");
  return option;
}

/** Below a button, or above it where there is no room, and inside the window. @param {HTMLElement} box @param {DOMRect} button */
function placeAt(box, button) {
  const isBelow = button.bottom + HEIGHT < window.innerHeight || button.top < HEIGHT;
  box.style.left = `${Math.max(GAP, Math.min(button.left, window.innerWidth - box.offsetWidth - GAP))}px`;
  box.style.top = `${isBelow ? Math.min(button.bottom + GAP, window.innerHeight - box.offsetHeight - GAP) : button.top - box.offsetHeight - GAP}px`;
}
