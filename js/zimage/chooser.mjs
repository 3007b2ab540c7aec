// @ts-check
/** A list that opens at a button, to choose one of many names by typing a part of it; a click elsewhere or Esc closes it. */
import { matching } from "./lora_text.mjs";

/** @typedef {{names: string[], label: string, empty: string, onChoice: (name: string) => void}} Choice empty: said where no name matches */

const MAX_SHOWN = 200; // names; a search shows the others
const GAP = 4; // pixels between the button and the list, and around it
const HEIGHT = 320; // pixels, at most; as in panel.css

/** @param {HTMLElement} button @param {Choice} choice */
export function openChooser(button, { names, label, empty, onChoice }) {
  const list = document.createElement("div");
  const search = document.createElement("input");
  const box = document.createElement("div");
  let active = 0;

  const options = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=option]")]);
  /** @param {number} index */
  const activate = (index) => {
    const all = options();
    active = Math.max(0, Math.min(index, all.length - 1));
    all.forEach((each, place) => each.setAttribute("aria-selected", String(place === active)));
    search.setAttribute("aria-activedescendant", all[active]?.id ?? "");
    all[active]?.scrollIntoView({ block: "nearest" });
  };
  const fill = () => {
    const found = matching(names, search.value).slice(0, MAX_SHOWN);
    list.replaceChildren(...found.map(optionOf));
    if (!found.length) list.textContent = empty;
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
  search.addEventListener("input", fill);
  search.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) activate(active + step);
    else if (event.key === "Enter") choose(options()[active]?.textContent ?? undefined);
    else return;
    event.preventDefault();
  });
  list.id = "zimage-names";
  list.setAttribute("role", "listbox");
  list.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLElement && target.role === "option") choose(target.textContent ?? undefined);
  });
  box.className = "zimage-chooser";
  box.popover = "auto";
  box.append(search, list);
  box.addEventListener("keydown", (event) => event.stopPropagation()); // the page's own shortcuts
  box.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") box.remove();
  });
  document.body.append(box);
  fill();
  box.showPopover();
  placeAt(box, button.getBoundingClientRect());
  search.focus();
}

/** @param {string} name @param {number} index */
function optionOf(name, index) {
  const option = document.createElement("div");
  option.id = `zimage-name-${index}`;
  option.role = "option";
  option.title = name;
  option.textContent = name;
  return option;
}

/** Below a button, or above it where there is no room, and inside the window. @param {HTMLElement} box @param {DOMRect} button */
function placeAt(box, button) {
  const isBelow = button.bottom + HEIGHT < window.innerHeight || button.top < HEIGHT;
  box.style.left = `${Math.max(GAP, Math.min(button.left, window.innerWidth - box.offsetWidth - GAP))}px`;
  box.style.top = `${isBelow ? Math.min(button.bottom + GAP, window.innerHeight - box.offsetHeight - GAP) : button.top - box.offsetHeight - GAP}px`;
}
