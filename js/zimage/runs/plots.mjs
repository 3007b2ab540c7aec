// @ts-check
/** The plot of a node's numbers below its report, drawn in the colours of the page. */
import { WIDTH, shapesOf, words } from "./plot_shapes.mjs";

/** @typedef {import("./plot_shapes.mjs").Plot} Plot */

const SVG = "http://www.w3.org/2000/svg";

/**
 * A panel's line with a plot.
 * @param {Plot} plot
 * @param {(text: string) => string} inLanguage
 */
export function plotLine(plot, inLanguage) {
  const shown = {
    ...plot,
    bars: plot.bars.map(([label, value]) => /** @type {[string, number]} */ ([inLanguage(label), value])),
    lines: plot.lines.map((line) => ({ ...line, name: inLanguage(line.name) })),
    axis: inLanguage(plot.axis),
    measured: inLanguage(plot.measured),
    limit_name: inLanguage(plot.limit_name),
  };
  return { text: "", title: words(shown), content: drawing(shown) };
}

/** @param {Plot} plot */
function drawing(plot) {
  const { height, shapes } = shapesOf(plot);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words(plot));
  for (const [tag, attributes, text] of shapes) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    if (text !== undefined) element.textContent = text;
    svg.append(element);
  }
  const box = document.createElement("div");
  box.className = "zimage-plot";
  box.append(svg);
  return box;
}
