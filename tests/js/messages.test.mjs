import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGES, format, languageOf } from "../../js/zimage/page/messages.mjs";

const placeholdersOf = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, key]) => key).sort();

test("both languages say the same things with the same placeholders, and Chinese is Chinese", () => {
  assert.deepEqual(Object.keys(MESSAGES.zh).sort(), Object.keys(MESSAGES.en).sort());
  for (const [name, english] of Object.entries(MESSAGES.en)) {
    assert.deepEqual(placeholdersOf(MESSAGES.zh[name]), placeholdersOf(english), name);
  }
  const withoutWords = Object.keys(MESSAGES.zh).filter((name) => !/[\u4e00-\u9fff]/.test(MESSAGES.zh[name]));
  assert.deepEqual(withoutWords, ["applied"]); // placeholders alone
});

test("every kind of Chinese gets Chinese, everything else English", () => {
  assert.deepEqual(["zh", "zh-TW", "en", "ja", undefined].map(languageOf), ["zh", "zh", "en", "en", "en"]);
});

test("a sentence without a placeholder's value says nothing there, not 'undefined'", () => {
  assert.equal(format("en", "applied", { name: "Turbo settings" }), "Turbo settings: ");
});
