// @ts-check
/** Where an input of a node on the canvas comes from, through reroutes, bypasses and subgraphs. Pure: it only reads. */

/** @typedef {{name: string, value?: any, callback?: (value: any) => void, options?: any}} WidgetLike */
/** @typedef {{name: string, type?: unknown, link?: number | null}} InputLike */
/** @typedef {{origin_id: number | string, origin_slot: number}} LinkLike */
/**
 * @typedef {object} NodeLike
 * @property {number | string} id
 * @property {string} [comfyClass]
 * @property {string} [type]
 * @property {number} [mode]
 * @property {InputLike[]} [inputs]
 * @property {{type?: unknown}[]} [outputs]
 * @property {WidgetLike[]} [widgets]
 * @property {any} [graph]
 * @property {any} [subgraph]
 * @property {(slot: number) => LinkLike | null | undefined} [getInputLink]
 */

const BYPASSED = 4;
const SUBGRAPH_INPUT = -10; // LiteGraph's id for the panel of inputs inside a subgraph
const LONGEST = 200; // a chain of nodes; a circle must end too

/** @param {NodeLike} node */
export function classOf(node) {
  return node.comfyClass ?? node.type ?? "";
}

/**
 * The node whose output reaches an input, or null.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {NodeLike | null}
 */
export function originOf(node, name) {
  return followed(node.graph, linkInto(node, (input) => input.name === name));
}

/**
 * Whether a link, not the widget, gives an input.
 * @param {NodeLike} node
 * @param {string} name
 */
export function isLinked(node, name) {
  return linkInto(node, (input) => input.name === name) !== undefined;
}

/**
 * The nodes that an input hangs on one after another, by inputs whose names begin as its own does: a MODEL's chain from
 * the nearest node to its loader.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {NodeLike[]}
 */
export function chainOf(node, name) {
  const chain = [];
  let found = originOf(node, name);
  while (found && chain.length < LONGEST) {
    chain.push(found);
    found = followed(found.graph, linkInto(found, (input) => input.name.startsWith(name)));
  }
  return chain;
}

/**
 * The file the loader at the end of an input's chain names, or "".
 * @param {NodeLike} node
 * @param {string} name
 * @param {readonly string[]} widgets names that loaders give the widget
 */
export function fileBehind(node, name, widgets) {
  return fileIn(chainOf(node, name), widgets);
}

/**
 * The file the nearest loader of a chain names, or "".
 * @param {NodeLike[]} chain
 * @param {readonly string[]} widgets
 */
export function fileIn(chain, widgets) {
  for (const each of chain) {
    const file = each.widgets?.find((widget) => widgets.includes(widget.name))?.value;
    if (typeof file === "string") return file;
  }
  return "";
}

/**
 * The link into the first connected input of this kind. A node that was deleted while somebody waited has none.
 * @param {NodeLike | undefined} node
 * @param {(input: InputLike, slot: number) => boolean} isMeant
 * @returns {LinkLike | undefined}
 */
function linkInto(node, isMeant) {
  if (!node?.graph) return undefined;
  const links = (node.inputs ?? []).map((input, slot) => (isMeant(input, slot) ? linkAt(node, slot) : null));
  return links.find((link) => link != null) ?? undefined;
}

/**
 * The link into an input. A node that stands for a subgraph answers `getInputLink` with links of its inside.
 * @param {NodeLike} node
 * @param {number} slot
 */
function linkAt(node, slot) {
  return node.subgraph ? node.graph.getLink(node.inputs?.[slot].link) : node.getInputLink?.(slot);
}

/**
 * @param {any} graph
 * @param {LinkLike | undefined} link
 * @param {number} [left]
 * @returns {NodeLike | null} the node that gives what comes through the link
 */
function followed(graph, link, left = LONGEST) {
  if (!link || left === 0) return null;
  if (Number(link.origin_id) === SUBGRAPH_INPUT) {
    const outer = hostOf(graph);
    return followed(outer?.graph, linkInto(outer, (_, slot) => slot === link.origin_slot), left - 1);
  }
  const node = graph?.getNodeById?.(link.origin_id);
  if (!node) return null;
  if (node.subgraph) {
    const inside = node.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0];
    return followed(node.subgraph, node.subgraph.getLink?.(inside), left - 1);
  }
  if (!handsOn(node)) return node;
  const type = node.type === "Reroute" ? undefined : node.outputs?.[link.origin_slot]?.type;
  return followed(graph, linkInto(node, (input) => type === undefined || input.type === type), left - 1);
}

/** Whether a node only hands on what it is given. @param {NodeLike} node */
function handsOn(node) {
  return node.type === "Reroute" || node.mode === BYPASSED;
}

/**
 * The node that stands for a subgraph in the graph around it.
 * @param {any} subgraph
 * @returns {NodeLike | undefined}
 */
function hostOf(subgraph) {
  const graphs = [subgraph?.rootGraph, ...(subgraph?.rootGraph?.subgraphs?.values?.() ?? [])];
  for (const graph of graphs) {
    const host = graph?.nodes?.find((/** @type {NodeLike} */ node) => node.subgraph?.id === subgraph.id);
    if (host) return host;
  }
  return undefined;
}
