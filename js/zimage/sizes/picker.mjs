// @ts-check
/** Buttons for the aspect ratios of Z-Image Empty Latent, and the resulting size in pixels. */
import { isOn, message } from "../page/comfyui.mjs";
import { PICKER } from "../page/settings.mjs";
import { fitInSquare, parseRatio, sizeOf } from "./sizes.mjs";
import { watch } from "../page/watch.mjs";
import { setValues, valueOf } from "../page/widgets.mjs";

export const PICKED = "ZImageEmptyLatent";
const SHAPE_SIDE = 18; // pixels of the longer side

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addPicker(node, panel) {
  const current = () => [valueOf(node, "ratio"), valueOf(node, "megapixels")];

  function update() {
    const [ratio, megapixels] = current();
    const options = node.widgets?.find((/** @type {{name: string}} */ each) => each.name === "ratio")?.options?.values;
    const isShown = isOn(PICKER) && ratio !== undefined && Array.isArray(options);
    panel.show("size", isShown && typeof megapixels === "number" ? { text: sizeText(ratio, megapixels) } : null);
    panel.show("ratios", isShown ? { text: "", buttons: options.map((each) => ratioButton(node, each, ratio)) } : null);
  }

  watch({ node, state: () => JSON.stringify([isOn(PICKER), ...current()]), update });
}

/** @param {unknown} text @param {number} area */
function sizeText(text, area) {
  const ratio = parseRatio(text);
  if (!ratio) return "";
  const { width, height } = sizeOf(ratio, area);
  const megapixels = (width * height) / 1024 ** 2;
  return message("size", { width, height, megapixels: megapixels.toFixed(megapixels < 0.1 ? 4 : 2) });
}

/** @param {any} node @param {string} text @param {unknown} current */
function ratioButton(node, text, current) {
  const title = message("ratio", { ratio: text });
  const shape = fitInSquare(parseRatio(text) ?? [1, 1], SHAPE_SIDE);
  return { text, title, shape, isOn: text === current, onClick: () => setValues(node, { ratio: text }) };
}
