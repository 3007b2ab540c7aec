// @ts-check
/** Follows links of the node graph upstream, through reroutes, bypassed nodes and subgraphs. Pure: it only reads. */

/** @typedef {{name: string, label?: string, value?: any, callback?: (value: any) => void, serializeValue?: () => any, options?: any, hidden?: boolean}} WidgetLike */
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
const MAX_NODES = 200; // in a chain, so that a cycle ends

/** @param {NodeLike} node */
export function classOf(node) {
  return node.comfyClass ?? node.type ?? "";
}

/**
 * The node whose output is connected to an input, or null.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {NodeLike | null}
 */
export function sourceOf(node, name) {
  return follow(node.graph, firstLink(node, (input) => input.name === name));
}

/**
 * Whether an input is connected, so that its widget is not used.
 * @param {NodeLike} node
 * @param {string} name
 */
export function isLinked(node, name) {
  return firstLink(node, (input) => input.name === name) !== undefined;
}

/**
 * The node and the input that an input of a subgraph's node stands for outside, if nothing is connected there: its
 * widget is then the subgraph node's. Null for any other input.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {{node: NodeLike, name: string} | null}
 */
export function outsideInput(node, name) {
  const link = firstLink(node, (input) => input.name === name);
  if (!link || Number(link.origin_id) !== SUBGRAPH_INPUT) return null;
  const outside = subgraphNodeOf(node.graph);
  const input = outside?.inputs?.[link.origin_slot];
  return outside && input ? { node: outside, name: input.name } : null;
}

/**
 * The chain of nodes upstream of an input, following inputs whose names start with the same name: for MODEL, from the
 * nearest node to its loader.
 * @param {NodeLike} node
 * @param {string} name
 * @returns {NodeLike[]}
 */
export function chainOf(node, name) {
  const chain = [];
  let source = sourceOf(node, name);
  while (source && chain.length < MAX_NODES) {
    chain.push(source);
    source = follow(source.graph, firstLink(source, (input) => input.name.startsWith(name)));
  }
  return chain;
}

/**
 * The file that the loader upstream of an input loads, or "".
 * @param {NodeLike} node
 * @param {string} name
 * @param {readonly string[]} widgets names of the file widget in loaders
 */
export function loaderFile(node, name, widgets) {
  return fileInChain(chainOf(node, name), widgets);
}

/**
 * The file that the nearest loader of a chain loads, or "".
 * @param {NodeLike[]} chain
 * @param {readonly string[]} widgets
 */
export function fileInChain(chain, widgets) {
  for (const node of chain) {
    const file = node.widgets?.find((widget) => widgets.includes(widget.name))?.value;
    if (typeof file === "string") return file;
  }
  return "";
}

/**
 * The link of the first connected input that matches. A node that was deleted during an await has none.
 * @param {NodeLike | undefined} node
 * @param {(input: InputLike, slot: number) => boolean} matches
 * @returns {LinkLike | undefined}
 */
function firstLink(node, matches) {
  if (!node?.graph) return undefined;
  const links = (node.inputs ?? []).map((input, slot) => (matches(input, slot) ? linkAt(node, slot) : null));
  return links.find((link) => link != null) ?? undefined;
}

/**
 * The link of an input slot. `getInputLink` of a subgraph node returns links inside the subgraph.
 * @param {NodeLike} node
 * @param {number} slot
 */
function linkAt(node, slot) {
  return node.subgraph ? node.graph.getLink(node.inputs?.[slot].link) : node.getInputLink?.(slot);
}

/**
 * @param {any} graph
 * @param {LinkLike | undefined} link
 * @param {number} [remaining] nodes that may still be passed
 * @returns {NodeLike | null} the node at the other end of the link that computes the value
 */
function follow(graph, link, remaining = MAX_NODES) {
  if (!link || remaining === 0) return null;
  if (Number(link.origin_id) === SUBGRAPH_INPUT) {
    const subgraphNode = subgraphNodeOf(graph);
    return follow(subgraphNode?.graph, firstLink(subgraphNode, (_, slot) => slot === link.origin_slot), remaining - 1);
  }
  const node = graph?.getNodeById?.(link.origin_id);
  if (!node) return null;
  if (node.subgraph) {
    const inside = node.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0];
    return follow(node.subgraph, node.subgraph.getLink?.(inside), remaining - 1);
  }
  if (!isPassThrough(node)) return node;
  const type = node.type === "Reroute" ? undefined : node.outputs?.[link.origin_slot]?.type;
  return follow(graph, firstLink(node, (input) => type === undefined || input.type === type), remaining - 1);
}

/**
 * All nodes of a node's workflow, those in subgraphs too.
 * @param {NodeLike} node
 * @returns {NodeLike[]}
 */
export function allNodes(node) {
  return graphsOf(node.graph).flatMap((graph) => graph?.nodes ?? []);
}

/**
 * The node that ComfyUI's executor names, inside subgraphs by the ids on the way: "12", or "409:407".
 * @param {any} graph the workflow's outermost
 * @param {number | string} id
 * @returns {NodeLike | null}
 */
export function nodeByExecutionId(graph, id) {
  const [first, ...inside] = String(id).split(":");
  const node = graph?.getNodeById?.(first) ?? graph?.getNodeById?.(Number(first)) ?? null;
  return inside.length ? nodeByExecutionId(node?.subgraph, inside.join(":")) : node;
}

/** @param {any} graph of a workflow, or one of its subgraphs */
function graphsOf(graph) {
  const root = graph?.rootGraph ?? graph;
  return [root, ...(root?.subgraphs?.values?.() ?? [])];
}

/** Whether a node returns its input unchanged. @param {NodeLike} node */
function isPassThrough(node) {
  return node.type === "Reroute" || node.mode === BYPASSED;
}

/**
 * The node that contains a subgraph, in the graph one level up.
 * @param {any} subgraph
 * @returns {NodeLike | undefined}
 */
function subgraphNodeOf(subgraph) {
  for (const graph of graphsOf(subgraph)) {
    const subgraphNode = graph?.nodes?.find((/** @type {NodeLike} */ node) => node.subgraph?.id === subgraph.id);
    if (subgraphNode) return subgraphNode;
  }
  return undefined;
}

/** Whether a node still is on its graph: one whose graph was replaced keeps the reference. @param {any} node */
export function isOnGraph(node) {
  return Boolean(node.graph) && node.graph.getNodeById(node.id) === node;
}
