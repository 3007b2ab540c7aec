// @ts-check
/** Settings in ComfyUI: who writes prompts, and a switch for each extra. Translations: locales/<language>/settings.json. */

const CATEGORY = "Z-Image";

export const METER = "ZImage.TokenMeter";
export const HISTORY = "ZImage.PromptHistory";
export const EVALUATIONS = "ZImage.Evaluations";
export const ADVICE = "ZImage.Advice";
export const PICKER = "ZImage.RatioPicker";
export const CURVE = "ZImage.SigmaCurve";
export const LORA_ROWS = "ZImage.LoraRows";
export const REPORTS = "ZImage.Reports";
export const SERVER_ADDRESS = "ZImage.ServerAddress";
export const SERVER_MODEL = "ZImage.ServerModel";
export const MENU = "ZImage.Menu";

/** @param {string} id @param {string} name @param {string} tooltip */
function toggle(id, name, tooltip) {
  const [, title] = id.split(".");
  return { id, name, tooltip, type: "boolean", defaultValue: true, category: [CATEGORY, "Comfort", title] };
}

/** Read by the server when a node runs. @param {string} id @param {string} name @param {string} tooltip */
function serverText(id, name, tooltip) {
  const [, title] = id.split(".");
  return { id, name, tooltip, type: "text", defaultValue: "", category: [CATEGORY, "Language server", title] };
}

export const SETTINGS = [
  serverText(
    SERVER_ADDRESS,
    "Language server address",
    "Where llama.cpp, vLLM, Ollama, LM Studio or a hosted language model answers, for example " +
      "http://127.0.0.1:8080/v1. No node asks it unless you choose so there. Keys do not belong here: see the help of " +
      "Z-Image Enhance Prompt.",
  ),
  serverText(
    SERVER_MODEL,
    "Language server model",
    "The model's name at that address; empty where the server has one.",
  ),
  toggle(METER, "Token meter", "Count the tokens of a prompt while you write, and show what is too long."),
  toggle(HISTORY, "Last prompts", "Keep the last 20 prompts that were run, and offer them under prompt boxes."),
  toggle(
    EVALUATIONS,
    "Model calls and time",
    "Tell under a sampler how often the model will run, and how long a picture last took.",
  ),
  toggle(
    ADVICE,
    "Mark unusual settings",
    "Say so when Turbo is run with many steps or high guidance, base with too few, or a model far from the size it " +
      "was made for, and offer to fix it; a new latent takes that size by itself.",
  ),
  toggle(PICKER, "Ratio picker", "Draw the aspect ratios under Z-Image Empty Latent, to pick one by its shape."),
  toggle(CURVE, "Sigma curve", "Draw the curve of Z-Image Draw Sigmas on the node, with points to drag."),
  toggle(
    LORA_ROWS,
    "LoRA rows",
    "Show the text of Z-Image LoRA List as rows, each with a switch, a strength and a place in the order.",
  ),
  toggle(
    REPORTS,
    "Reports on the node",
    "Show on the node itself what it reports, as Load LoRA, Optimize and Inspect File do, and why a run stopped there.",
  ),
  toggle(MENU, "Settings in the node menu", "Offer Turbo settings and base settings in the menu of samplers."),
];
