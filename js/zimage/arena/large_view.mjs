// @ts-check
/** An element of a node over the whole page, until Escape or the function that is returned; then it lies where it was. */

/**
 * @param {HTMLElement} element
 * @param {() => void} onClose called once it is back
 * @returns {() => void} closes
 */
export function showLarge(element, onClose) {
  const dialog = document.createElement("dialog");
  dialog.className = "zimage-panel zimage-arena-large";
  const place = document.createComment("");
  element.replaceWith(place);
  dialog.append(element);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside what it shows
  });
  dialog.addEventListener("close", () => {
    place.replaceWith(element);
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return () => dialog.close();
}
