// @ts-check
/** The template browser's order of this pack's workflows; the server lists them as the file system happens to. */

const TASKS = [
  "text to image",
  "image to image",
  "inpaint",
  "outpaint",
  "detail pass",
  "edit",
  "edit with three pictures",
  "edit in turns",
  "two regions",
  "LoRA",
  "LoRA list",
  "LoRA per region",
  "which LoRA strength",
  "ControlNet",
  "twice as large",
  "upscale 2x",
  "high-resolution second pass",
  "first steps then Turbo",
  "enhance and draw",
  "enhanced beside original",
  "prompt variations",
  "weighted words",
  "negative prompt with NAG",
  "more different seeds",
  "style reference",
  "draw sigmas",
  "grid",
  "compare two settings",
  "score what you draw",
  "caption what you draw",
  "caption a folder",
  "search a folder",
  "difference captions for an edit data set",
  "arena",
  "evaluate",
  "re-roll until the sign is right",
  "train a LoRA",
  "from a messy folder to a LoRA",
  "two rounds of curation",
  "train an edit LoRA from pairs",
  "train from a recipe",
  "make your own Turbo",
  "choose what you like",
  "teach it your taste",
  "merge two fine-tunes by score",
  "App mode",
  "doctor",
  "faster",
  "attach to stock loaders",
  "default graph plus one node",
];
const MODELS = ["Z-Image Turbo", "Z-Image Base", "Z-Image Nano"];

/** @param {string[]} list @param {string} entry */
function place(list, entry) {
  const index = list.indexOf(entry);
  return index < 0 ? list.length : index;
}

/**
 * Workflow names of the form "model - task": common tasks first, the larger model first, unknown names last.
 * @param {string[]} names
 */
export function inOrder(names) {
  /** @param {string} name */
  const rank = (name) => {
    const [model, task = ""] = name.split(" - ");
    return place(TASKS, task) * (MODELS.length + 1) + place(MODELS, model);
  };
  return [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, "en"));
}

/**
 * The server's lists, by folder of custom nodes, with this pack's in order and all others as they were.
 * @param {Record<string, string[]>} lists
 * @param {string} folder this pack's
 */
export function ordered(lists, folder) {
  return folder in lists ? { ...lists, [folder]: inOrder(lists[folder]) } : lists;
}
