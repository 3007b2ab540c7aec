// @ts-check
/** The live preview on a node of ours goes when the node shows pictures of its own. */
import { endPreview, onServerEvent, rootGraph } from "../page/comfyui.mjs";
import { classOf, nodeByExecutionId } from "../page/graph.mjs";

export function watchPreviews() {
  onServerEvent("executed", ({ node, display_node: shown, output }) => {
    const id = String(shown ?? node);
    const of = output?.images?.length ? nodeByExecutionId(rootGraph(), id) : null;
    if (of && classOf(of).startsWith("ZImage")) endPreview(of, id, output);
  });
}
