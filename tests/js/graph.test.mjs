import assert from "node:assert/strict";
import { test } from "node:test";
import { allNodes, chainOf, isLinked, loaderFile, nodeByExecutionId, outsideInput, sourceOf } from "../../js/zimage/page/graph.mjs";

/** A graph as LiteGraph holds it: nodes by id, links by id; `wires` are [from, slot, to, input]. */
function graphOf(nodes, wires, extra = {}) {
  const links = new Map();
  const graph = { nodes, getNodeById: (id) => nodes.find((node) => node.id === id), getLink: (id) => links.get(id), ...extra };
  for (const node of nodes) Object.assign(node, { graph, into: {}, getInputLink: (slot) => linkOf(node, slot) });
  for (const [from, slot, to, input] of wires) {
    const link = { id: links.size + 1, origin_id: from, origin_slot: slot };
    links.set(link.id, link);
    const target = graph.getNodeById(to);
    if (!target) continue;
    const socket = target.inputs.findIndex((each) => each.name === input);
    target.into[socket] = link;
    target.inputs[socket].link = link.id;
  }
  return graph;
}

/** As LiteGraph has it, whose subgraph nodes do not answer for links from outside. */
function linkOf(node, slot) {
  assert.ok(!node.subgraph, "LiteGraph throws here");
  return node.into[slot] ?? null;
}

const loader = (id, file) => ({ id, type: "UNETLoader", inputs: [], outputs: [{ type: "MODEL" }], widgets: [{ name: "unet_name", value: file }] });
const patch = (id, type, extra = {}) => ({ id, type, inputs: [{ name: "image", type: "IMAGE" }, { name: "model", type: "MODEL" }], outputs: [{ type: "MODEL" }], ...extra });

test("a file is found through patches, a reroute and a bypassed node", () => {
  const reroute = { id: 3, type: "Reroute", inputs: [{ name: "", type: "*" }], outputs: [{ type: "MODEL" }] };
  const nodes = [loader(1, "turbo.safetensors"), patch(2, "LoraLoader"), reroute, patch(4, "Skip", { mode: 4 }), patch(5, "KSampler")];
  graphOf(nodes, [[1, 0, 2, "model"], [2, 0, 3, ""], [3, 0, 4, "model"], [4, 0, 5, "model"]]);
  assert.equal(loaderFile(nodes[4], "model", ["unet_name"]), "turbo.safetensors");
  assert.deepEqual(chainOf(nodes[4], "model").map((node) => node.type), ["LoraLoader", "UNETLoader"]);
  assert.ok(isLinked(nodes[4], "model") && !isLinked(nodes[4], "image"));
});

test("a file is found from inside a subgraph, and out of one", () => {
  const inner = patch(7, "KSampler");
  const subgraph = graphOf([inner], [[-10, 0, 7, "model"]], { id: "inside" });
  const subgraphNode = { ...patch(2, "inside"), inputs: [{ name: "model", type: "MODEL" }], subgraph };
  const root = graphOf([loader(1, "base.safetensors"), subgraphNode], [[1, 0, 2, "model"]]);
  subgraph.rootGraph = root;
  assert.equal(loaderFile(inner, "model", ["unet_name"]), "base.safetensors");

  const hidden = graphOf([loader(3, "deep.safetensors")], [[3, 0, 99, "model"]], { id: "loaders", outputs: [{ linkIds: [1] }] });
  const outside = patch(9, "KSampler");
  graphOf([{ id: 8, type: "loaders", inputs: [], outputs: [{ type: "MODEL" }], subgraph: hidden }, outside], [[8, 0, 9, "model"]]);
  assert.equal(loaderFile(outside, "model", ["unet_name"]), "deep.safetensors");
});

test("an open end, a missing node and a circle all end", () => {
  const [alone, orphan, one, two] = [patch(1, "A"), patch(2, "B"), patch(3, "C"), patch(4, "D")];
  graphOf([alone, orphan, one, two], [[77, 0, 2, "model"], [3, 0, 4, "model"], [4, 0, 3, "model"]]);
  assert.equal(sourceOf(alone, "model"), null);
  assert.equal(sourceOf(orphan, "model"), null);
  assert.equal(loaderFile(one, "model", ["unet_name"]), "");
});

test("two bypassed nodes in a circle end too", () => {
  const [one, two, sampler] = [patch(1, "A", { mode: 4 }), patch(2, "B", { mode: 4 }), patch(3, "KSampler")];
  graphOf([one, two, sampler], [[1, 0, 2, "model"], [2, 0, 1, "model"], [1, 0, 3, "model"]]);
  assert.equal(sourceOf(sampler, "model"), null);
});

test("a node that was deleted meanwhile is asked nothing", () => {
  const deleted = { ...patch(1, "KSampler"), graph: null, getInputLink: () => assert.fail("LiteGraph throws here") };
  assert.equal(sourceOf(deleted, "model"), null);
  assert.ok(!isLinked(deleted, "model"));
});

test("a widget that a subgraph node gives is found there, however deep, and all nodes are listed", () => {
  const inner = patch(7, "KSampler");
  const subgraph = graphOf([inner], [[-10, 1, 7, "model"]], { id: "inside" });
  const outside = { ...patch(2, "inside"), inputs: [{ name: "seed" }, { name: "size" }], subgraph };
  const root = graphOf([outside], [], { subgraphs: new Map([["inside", subgraph]]) });
  subgraph.rootGraph = root;
  assert.deepEqual(outsideInput(inner, "model"), { node: outside, name: "size" });
  assert.equal(outsideInput(inner, "image"), null);
  assert.deepEqual(allNodes(inner), [outside, inner]);
});

test("a node is found by the ids the executor names it with", () => {
  const inner = patch(7, "KSampler");
  const subgraph = graphOf([inner], [], { id: "inside" });
  const root = graphOf([{ ...patch(2, "inside"), subgraph }], []);
  assert.equal(nodeByExecutionId(root, "2:7"), inner);
  assert.equal(nodeByExecutionId(root, 2)?.subgraph, subgraph);
  assert.equal(nodeByExecutionId(root, "9:7"), null);
});
