import assert from "node:assert/strict";
import { test } from "node:test";
import { hasChoices, meterLine, unknownText } from "../../js/zimage/prompts/tokens.mjs";

const length = (tokens, beyond = "") => ({ tokens, limit: 512, beyond, unknown: [] });

test("a prompt that fits shows its count and how full the bar is", () => {
  assert.deepEqual(meterLine("en", length(128), "a fox", false), { text: "128 / 512 tokens", isOver: false, fill: 0.25 });
});

test("a prompt that is too long shows the words beyond, and says whether they will be cut", () => {
  const kept = meterLine("en", length(520, " a last fox"), "…", false);
  const cut = meterLine("zh", length(520, "最后一只狐狸"), "…", true);
  assert.ok(kept.isOver && kept.text.includes("“a last fox”") && !kept.text.includes("cut"));
  assert.ok(cut.isOver && cut.text.includes("“最后一只狐狸”") && cut.text.includes("截"));
});

test("the bar never runs over, and very long words are shortened between characters", () => {
  const { text, fill } = meterLine("en", length(100000, "🦊".repeat(5000)), "", false);
  assert.equal(fill, 1);
  assert.ok(text.length < 400 && text.includes("🦊…”"));
  assert.ok(!/[\ud800-\udbff](?![\udc00-\udfff])/.test(text));
});

test("a prompt with choices, of which ComfyUI takes one, is counted about", () => {
  assert.ok(hasChoices("a {red|blue} fox") && !hasChoices("a {red} fox") && !hasChoices("{a} | {b}"));
  assert.ok(meterLine("en", length(9), "a {red|blue} fox", false).text.startsWith("≈ "));
});

test("unknown words are listed, and nothing is said where there are none", () => {
  assert.equal(unknownText("en", []), null);
  assert.match(unknownText("en", ["fox", "snow"]) ?? "", /does not know “fox, snow”/);
  assert.match(unknownText("zh", ["狐狸"]) ?? "", /不认识“狐狸”/);
});
