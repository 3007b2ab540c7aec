// @ts-check
/** How a ControlNet's picture was fitted to the latent, on its node, until a run in which it was not. */
import { isOn, message, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { nodeByExecutionId } from "../page/graph.mjs";
import { panelOf } from "../page/panel.mjs";
import { REPORTS } from "../page/settings.mjs";

/** @typedef {[number, number]} Size width and height in pixels */

const KIND = "zimage.fitted"; // as in nodes/bridge/loading/fitted.py

export function watchFitted() {
  onServerEvent(KIND, ({ node: id, picture, latent }) => {
    const node = nodeByExecutionId(rootGraph(), id);
    const text = fittedText(picture, latent);
    if (node) panelOf(node)?.show("fitted", text && isOn(REPORTS) ? { text } : null);
  });
}

/** What is to be said; "" where the picture has the latent's size. @param {Size} picture @param {Size} latent */
function fittedText(picture, latent) {
  if (String(picture) === String(latent)) return "";
  const ratio = (picture[0] / picture[1]) * (latent[1] / latent[0]);
  const lost = Math.round(100 * (1 - Math.min(ratio, 1 / ratio)));
  const sizes = { from: picture.join(" × "), to: latent.join(" × ") };
  return lost ? message("croppedToLatent", { ...sizes, lost }) : message("scaledToLatent", sizes);
}
