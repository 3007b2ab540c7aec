// @ts-check
/** The meter under a prompt: tokens used, and what is too long. */
import { fileBehind } from "./graph.mjs";
import { ask, isOn, language, tell } from "./host.mjs";
import { METER } from "./settings.mjs";
import { reading } from "./tokens.mjs";
import { valueOf } from "./widgets.mjs";
import { watch } from "./watch.mjs";

/** @type {Record<string, string>} */
const TEMPLATES = { ZImageTextEncode: "prompt", ZImageEditEncode: "edit" };
const ENCODERS = ["text_encoder_name", "clip_name"];

export const METERED = Object.keys(TEMPLATES);

/** @param {any} node @param {string} nodeClass @param {import("./panel.mjs").Panel} panel */
export function addMeter(node, nodeClass, panel) {
  const question = () => ({
    prompt: valueOf(node, "prompt"),
    encoder: fileBehind(node, "clip", ENCODERS),
    template: TEMPLATES[nodeClass],
  });
  const isCut = () => String(valueOf(node, "long_prompts") ?? "").startsWith("cut");
  const isShown = () => isOn(METER) && typeof valueOf(node, "prompt") === "string";

  async function update() {
    if (!isShown()) return panel.show("tokens", null);
    const asked = question();
    const { answer, isAway } = await ask("tokens", asked);
    if (answer) {
      const { text, isOver, part } = reading(language(), answer, String(asked.prompt), isCut());
      panel.show("tokens", { text, part, tone: isOver ? "warning" : "plain" });
    } else {
      panel.show("tokens", isAway ? { text: tell("unanswered") } : null);
    }
    return !isAway;
  }

  watch({ node, state: () => JSON.stringify([isShown(), isCut(), question()]), update });
}
