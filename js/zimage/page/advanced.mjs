// @ts-check
/**
 * Rarely used widgets out of the way in the classic canvas, as Nodes 2.0 has them: hidden until a button shows them.
 * LiteGraph hides a widget that is `advanced` and saves the node's `showAdvanced`; older frontends do not set the first.
 * It keeps a gap where such a widget would be, but none for one that is `hidden`.
 */
import { isClassic, message } from "./comfyui.mjs";
import { isLinked } from "./graph.mjs";
import { watch } from "./watch.mjs";

/** @param {any} node a new one @param {import("./panel.mjs").Panel} panel */
export function hideAdvanced(node, panel) {
  /** @type {any[]} */
  const widgets = (node.widgets ?? []).filter((/** @type {any} */ each) => each.options?.advanced);
  if (!widgets.length) return;
  const defaults = widgets.map(({ value }) => value);
  const isChanged = () => widgets.some(({ name, value }, i) => value !== defaults[i] || isLinked(node, name));
  const fold = () => widgets.forEach((widget) => (widget.hidden = isClassic() && !node.showAdvanced));
  resizedBy(node, () => widgets.forEach((widget) => (widget.advanced = true)));
  fold();
  showWhatALoadedNodeUses(node, isChanged, fold);
  watch({
    node,
    state: () => JSON.stringify([isClassic(), node.showAdvanced, message("showAdvanced")]),
    update() {
      fold();
      panel.show("advanced", isClassic() ? { text: "", buttons: [toggle(node, fold)] } : null);
    },
  });
}

/** Nothing that a saved graph sets may be out of sight. @param {any} node @param {() => boolean} isChanged @param {() => void} fold */
function showWhatALoadedNodeUses(node, isChanged, fold) {
  const previous = node.onConfigure;
  node.onConfigure = function (/** @type {{showAdvanced?: boolean}} */ saved) {
    const result = previous?.apply(this, arguments);
    if (saved.showAdvanced === undefined && isClassic() && isChanged()) this.showAdvanced = true;
    fold();
    return result;
  };
}

/** @param {any} node @param {() => void} fold */
function toggle(node, fold) {
  const text = message(node.showAdvanced ? "hideAdvanced" : "showAdvanced");
  const turn = () => {
    node.toggleAdvanced();
    fold();
  };
  return { text, title: text, onClick: () => resizedBy(node, turn) };
}

/** Change which widgets are shown, and the node's height by as much. @param {any} node @param {() => void} change */
function resizedBy(node, change) {
  const [width, height] = node.size;
  const before = node.computeSize()[1];
  change();
  const after = node.computeSize()[1];
  if (isClassic()) node.setSize([width, Math.max(after, height + after - before)]);
}
