// @ts-check
/** The token meter under a prompt: token count, and the text beyond the limit. */
import { loaderFile } from "../page/graph.mjs";
import { isOn, language, message, request } from "../page/comfyui.mjs";
import { METER } from "../page/settings.mjs";
import { meterLine, unknownText } from "./tokens.mjs";
import { valueOf } from "../page/widgets.mjs";
import { watch } from "../page/watch.mjs";

/** @type {Record<string, string>} */
const TEMPLATES = { ZImageTextEncode: "prompt", ZImageEditEncode: "edit", ZImageGrid: "prompt" };
const AXES = ["x_axis", "y_axis", "z_axis"];
const ENCODERS = ["text_encoder_name", "clip_name"];

export const METERED = Object.keys(TEMPLATES);

/** @param {any} node @param {string} nodeClass @param {import("../page/panel.mjs").Panel} panel */
export function addMeter(node, nodeClass, panel) {
  const query = () => ({
    prompt: valueOf(node, "prompt"),
    encoder: loaderFile(node, "clip", ENCODERS),
    template: TEMPLATES[nodeClass],
  });
  const isCut = () => String(valueOf(node, "long_prompts") ?? "").startsWith("cut");
  const isReplaced = () => AXES.some((name) => valueOf(node, name) === "prompt"); // by a grid's axis
  const isShown = () => isOn(METER) && typeof valueOf(node, "prompt") === "string" && !isReplaced();

  async function update() {
    if (!isShown()) return ["tokens", "unknown"].forEach((name) => panel.show(name, null));
    const sent = query();
    const { data, isOffline } = await request("tokens", sent);
    if (data) {
      const { text, isOver, fill } = meterLine(language(), data, String(sent.prompt), isCut());
      panel.show("tokens", { text, fill, tone: isOver ? "warning" : "plain" });
      const unknown = unknownText(language(), data.unknown);
      panel.show("unknown", unknown === null ? null : { text: unknown, tone: "warning" });
    } else {
      panel.show("tokens", isOffline ? { text: message("unanswered") } : null);
    }
    return !isOffline;
  }

  watch({ node, state: () => JSON.stringify([isShown(), isCut(), query()]), update });
}
