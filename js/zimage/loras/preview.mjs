// @ts-check
/** A LoRA's picture: small on its row, large while the pointer or the focus is on it. */

const SIDE = 256; // pixels of the large one, at most; as in panel.css
const GAP = 8; // pixels beside the small one

/** @param {HTMLElement} button that becomes the small picture @param {string} picture a URI */
export function showPreview(button, picture) {
  const small = document.createElement("img");
  small.src = picture;
  small.alt = "";
  button.append(small);
  for (const kind of ["pointerenter", "focus"]) button.addEventListener(kind, () => enlarge(button, picture));
}

/** @param {HTMLElement} button @param {string} picture */
function enlarge(button, picture) {
  if (document.querySelector(".zimage-large")) return;
  const large = document.createElement("img");
  large.className = "zimage-large";
  large.src = picture;
  large.alt = button.title;
  large.popover = "manual"; // above the canvas and what clips its nodes
  document.body.append(large);
  large.showPopover();
  const { left, right, top } = button.getBoundingClientRect();
  const isRight = right + GAP + SIDE < window.innerWidth;
  large.style.left = `${isRight ? right + GAP : Math.max(0, left - GAP - SIDE)}px`;
  large.style.top = `${Math.max(0, Math.min(top, window.innerHeight - SIDE))}px`;
  stayWhile(large, () => button.isConnected && button.matches(":hover, :focus"));
}

/** A row that is drawn anew sends no event when it goes, so each frame looks. @param {HTMLElement} element @param {() => boolean} isWanted */
function stayWhile(element, isWanted) {
  if (isWanted()) requestAnimationFrame(() => stayWhile(element, isWanted));
  else element.remove();
}
