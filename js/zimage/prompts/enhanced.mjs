// @ts-check
/** Under Z-Image Enhance Prompt: a button that puts what was written into a box to edit, and one that asks again. */
import { message } from "../page/comfyui.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";

export const ENHANCER = "ZImageEnhancePrompt";
const BOX = "own_prompt"; // what stands there is used as it is

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addEditing(node, panel) {
  let written = "";

  const previous = node.onExecuted;
  node.onExecuted = function (/** @type {{zimage_written?: string[]}} */ output) {
    previous?.apply(this, arguments);
    written = output?.zimage_written?.[0] ?? written;
    show();
  };

  const isEdited = () => String(valueOf(node, BOX) ?? "").trim() !== "";

  function show() {
    const line = isEdited() ? editedLine() : written ? offer() : null;
    panel.show("editing", line);
  }

  function offer() {
    const onClick = () => setValues(node, { [BOX]: written });
    return { text: "", buttons: [{ text: message("editWritten"), title: message("editWrittenTitle"), onClick }] };
  }

  function editedLine() {
    const onClick = () => setValues(node, { [BOX]: "" });
    return { text: message("ownText"), buttons: [{ text: message("askAgain"), title: message("askAgainTitle"), onClick }] };
  }

  watch({ node, state: () => JSON.stringify([isEdited(), written, message("editWritten")]), update: show });
}
