// @ts-check
/** The ratios of Z-Image Empty Latent as shapes to click, and the size that comes out. */
import { isOn, tell } from "./host.mjs";
import { PICKER } from "./settings.mjs";
import { drawnIn, parseRatio, sizeOf } from "./sizes.mjs";
import { watch } from "./watch.mjs";
import { setValues, valueOf } from "./widgets.mjs";

export const PICKED = "ZImageEmptyLatent";
const DRAWING = 18; // pixels of the longer side

/** @param {any} node @param {import("./panel.mjs").Panel} panel */
export function addPicker(node, panel) {
  const chosen = () => [valueOf(node, "ratio"), valueOf(node, "megapixels")];

  function update() {
    const [ratio, megapixels] = chosen();
    const options = node.widgets?.find((/** @type {{name: string}} */ each) => each.name === "ratio")?.options?.values;
    const isShown = isOn(PICKER) && ratio !== undefined && Array.isArray(options);
    panel.show("size", isShown && typeof megapixels === "number" ? { text: sizeText(ratio, megapixels) } : null);
    panel.show("ratios", isShown ? { text: "", buttons: options.map((each) => shape(node, each, ratio)) } : null);
  }

  watch({ node, state: () => JSON.stringify([isOn(PICKER), ...chosen()]), update });
}

/** @param {unknown} text @param {number} area */
function sizeText(text, area) {
  const ratio = parseRatio(text);
  if (!ratio) return "";
  const { width, height } = sizeOf(ratio, area);
  const megapixels = (width * height) / 1024 ** 2;
  return tell("size", { width, height, megapixels: megapixels.toFixed(megapixels < 0.1 ? 4 : 2) });
}

/** @param {any} node @param {string} text @param {unknown} chosen */
function shape(node, text, chosen) {
  const title = tell("ratio", { ratio: text });
  const drawing = drawnIn(parseRatio(text) ?? [1, 1], DRAWING);
  return { text, title, shape: drawing, isOn: text === chosen, press: () => setValues(node, { ratio: text }) };
}
