// @ts-check
/** The curve on Z-Image Draw Sigmas: it writes the node's text of points, which alone is saved. */
import { endStep, isOn, message, passWheel } from "../page/comfyui.mjs";
import { STRAIGHT, readPoints, sigmasAt, writePoints } from "./drawn_schedule.mjs";
import { applySettings } from "./sampler.mjs";
import { CURVE } from "../page/settings.mjs";
import { SigmaPlot } from "./sigma_plot.mjs";
import { watch } from "../page/watch.mjs";
import { addElement, setValues, valuesOf } from "../page/widgets.mjs";

/** @typedef {import("./drawn_schedule.mjs").Point} Point */
/** @typedef {import("../page/panel.mjs").Panel} Panel */

export const DRAWN = "ZImageDrawnSigmas";
const WIDGET = "zimage_curve";
const HEIGHT = 220; // pixels, with the margin that ComfyUI leaves around an element
const MIN_WIDTH = 320; // pixels of a new node
const FINE = 128; // pieces in which the curve is drawn
const MOST_DOTS = 100; // steps
const MOST_NUMBERS = 30; // steps whose sigmas are written below

/** @param {any} node @param {Panel} panel */
export function addSigmaCurve(node, panel) {
  const draw = (/** @type {Point[]} */ points) => {
    setValues(node, { points: writePoints(points) });
    update();
  };
  const plot = new SigmaPlot(draw, endStep);
  const widget = addWidget(node, plot.element);
  passWheel(plot.element);
  const values = () => valuesOf(node, ["steps", "shift", "points"]);

  function update() {
    const { steps, shift, points: text } = values();
    const isShown = isOn(CURVE) && typeof text === "string" && typeof shift === "number" && shift > 0;
    widget.hidden = !isShown;
    plot.element.hidden = !isShown;
    showCurve(plot, panel, isShown ? readPoints(text) : null, Number(shift), Number(steps ?? 0));
    panel.show("curve", isShown && !readPoints(text) ? { text: message("noCurve"), tone: "warning" } : null);
    panel.show("curves", isShown ? { text: "", buttons: startButtons(node) } : null);
  }

  watch({ node, state: () => JSON.stringify([isOn(CURVE), values(), message("drawHint")]), update });
}

/** @param {any} node @param {HTMLElement} element */
function addWidget(node, element) {
  const widget = addElement(node, WIDGET, element, () => (element.hidden ? 0 : HEIGHT));
  const [width, tall] = node.computeSize();
  node.setSize([Math.max(width, MIN_WIDTH), tall]);
  return widget;
}

/**
 * The curve, and below it the sigmas of its steps.
 * @param {SigmaPlot} plot
 * @param {Panel} panel
 * @param {Point[] | null} points null draws nothing
 * @param {number} shift
 * @param {number} steps 0 if unknown
 */
function showCurve(plot, panel, points, shift, steps) {
  /** @param {number} count @returns {Point[]} */
  const sampled = (count) => {
    const parts = Array.from({ length: count + 1 }, (_, i) => i / count);
    return points ? sigmasAt(points, shift, parts).map((sigma, i) => [parts[i], sigma]) : [];
  };
  const dots = steps >= 1 && steps <= MOST_DOTS ? sampled(steps) : [];
  plot.element.title = message("drawHint");
  plot.show(points ?? [], sampled(FINE), dots, ([part, sigma]) => message("point", { part: 100 * part, sigma }));
  const text = dots.map(([, sigma]) => String(Number(sigma.toFixed(3)))).join("  ");
  panel.show("sigmas", text && steps <= MOST_NUMBERS ? { text } : null);
}

/** @param {any} node */
function startButtons(node) {
  const straight = () => setValues(node, { shift: 1, points: STRAIGHT });
  return [
    button(message("turbo"), () => applySettings(node, DRAWN, "turbo")),
    button(message("base"), () => applySettings(node, DRAWN, "base")),
    button(message("straight"), straight),
  ];
}

/** @param {string} text @param {() => void} onClick */
function button(text, onClick) {
  return { text, title: text, onClick };
}
