// @ts-check
/**
 * Rarely used widgets out of the way in the classic canvas, as Nodes 2.0 has them: hidden until a button shows them.
 * LiteGraph hides a widget that is `advanced` and saves the node's `showAdvanced`; older frontends do not set the first.
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
  resizedBy(node, () => widgets.forEach((widget) => (widget.advanced = true)));
  showWhatALoadedNodeUses(node, isChanged);
  watch({
    node,
    state: () => JSON.stringify([isClassic(), node.showAdvanced, message("showAdvanced")]),
    update: () => panel.show("advanced", isClassic() ? { text: "", buttons: [toggle(node)] } : null),
  });
}

/** Nothing that a saved graph sets may be out of sight. @param {any} node @param {() => boolean} isChanged */
function showWhatALoadedNodeUses(node, isChanged) {
  const previous = node.onConfigure;
  node.onConfigure = function (/** @type {{showAdvanced?: boolean}} */ saved) {
    const result = previous?.apply(this, arguments);
    if (saved.showAdvanced === undefined && isClassic() && isChanged()) this.showAdvanced = true;
    return result;
  };
}

/** @param {any} node */
function toggle(node) {
  const text = message(node.showAdvanced ? "hideAdvanced" : "showAdvanced");
  return { text, title: text, onClick: () => resizedBy(node, () => node.toggleAdvanced()) };
}

/** Change which widgets are shown, and the node's height by as much. @param {any} node @param {() => void} change */
function resizedBy(node, change) {
  const [width, height] = node.size;
  const before = node.computeSize()[1];
  change();
  const after = node.computeSize()[1];
  if (isClassic()) node.setSize([width, Math.max(after, height + after - before)]);
}
