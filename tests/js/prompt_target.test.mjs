import assert from "node:assert/strict";
import { test } from "node:test";
import { addWord, promptBoxOf } from "../../js/zimage/prompts/prompt_target.mjs";

/** Nodes by name with their inputs; `[node, input, from]` are links. */
function graphOf(nodes, links) {
  const graph = { nodes: Object.values(nodes), getNodeById: (id) => nodes[id] };
  for (const [id, node] of Object.entries(nodes)) Object.assign(node, { id, type: id, graph, inputs: [], into: [] });
  for (const [to, name, from] of links) {
    nodes[to].inputs.push({ name });
    nodes[to].into.push({ origin_id: from, origin_slot: 0 });
  }
  for (const node of graph.nodes) node.getInputLink = (slot) => node.into[slot];
  return nodes;
}

const box = (name, value) => ({ widgets: [{ name, value }] });
const MODEL = [["more", "model", "list"], ["sampler", "model", "more"]];

test("the box is that of the positive prompt which the model draws, through what stands before the sampler", () => {
  const nodes = graphOf({ list: {}, more: {}, sampler: {}, control: {}, encode: box("prompt", "a"), negative: box("prompt", "b"), other: box("text", "c") }, [
    ...MODEL, ["sampler", "negative", "negative"], ["sampler", "positive", "control"], ["control", "conditioning", "encode"],
  ]);
  assert.deepEqual(promptBoxOf(nodes.list), { node: nodes.encode, name: "prompt" });
  assert.equal(promptBoxOf(nodes.other), null);
});

test("a box that another node fills gives way to that node's; a node that encodes by itself has its own", () => {
  const written = graphOf({ list: {}, more: {}, sampler: {}, encode: box("text", ""), writer: box("text", "{a|b}") }, [
    ...MODEL, ["sampler", "positive", "encode"], ["encode", "text", "writer"],
  ]);
  assert.equal(promptBoxOf(written.list)?.node, written.writer);
  const grid = graphOf({ list: {}, more: {}, sampler: box("prompt", "a") }, MODEL);
  assert.equal(promptBoxOf(grid.list)?.node, grid.sampler);
});

test("a word is written once, after a comma", () => {
  const texts = ["a fox", "a fox, ", "", "an OHWX fox"].map((value) => {
    const node = { ...box("prompt", value), inputs: [] };
    const isWritten = addWord({ node, name: "prompt" }, "ohwx");
    return [isWritten, node.widgets[0].value];
  });
  assert.deepEqual(texts, [[true, "a fox, ohwx"], [true, "a fox, ohwx"], [true, "ohwx"], [false, "an OHWX fox"]]);
});
