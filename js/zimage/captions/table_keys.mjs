// @ts-check
/** What a key means in a caption's box, and which rows a page shows. Pure. */

/** @typedef {"save" | "approve" | "restore" | "previous" | "next"} Act */

/**
 * What a key asks for; null for keys of the box itself, such as Shift with Enter, and while letters are composed.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, isComposing: boolean}} event
 * @returns {Act | null}
 */
export function meaningOf({ key, ctrlKey, metaKey, shiftKey, isComposing }) {
  if (isComposing) return null;
  if (key === "Enter") return ctrlKey || metaKey ? "approve" : shiftKey ? null : "save";
  if (key === "Escape") return "restore";
  if (key === "PageUp") return "previous";
  return key === "PageDown" ? "next" : null;
}

/**
 * Numbers of the rows on a page, counted from 1, and where the pages before and after it begin; null at an end.
 * @param {{first: number, shown: number, matching: number, size: number}} page
 */
export function pageOf({ first, shown, matching, size }) {
  return {
    from: shown ? first + 1 : 0,
    to: first + shown,
    previous: first > 0 ? Math.max(0, first - size) : null,
    next: first + shown < matching ? first + size : null,
  };
}
