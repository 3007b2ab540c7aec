import assert from "node:assert/strict";
import { test } from "node:test";
import { WORDS, languageOf, say } from "../../js/zimage/words.mjs";

const blanksOf = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, blank]) => blank).sort();

test("both languages say the same things with the same blanks, and Chinese is Chinese", () => {
  assert.deepEqual(Object.keys(WORDS.zh).sort(), Object.keys(WORDS.en).sort());
  for (const [name, english] of Object.entries(WORDS.en)) {
    assert.deepEqual(blanksOf(WORDS.zh[name]), blanksOf(english), name);
  }
  const withoutWords = Object.keys(WORDS.zh).filter((name) => !/[\u4e00-\u9fff]/.test(WORDS.zh[name]));
  assert.deepEqual(withoutWords, ["applied"]); // blanks alone
});

test("every kind of Chinese gets Chinese, everything else English", () => {
  assert.deepEqual(["zh", "zh-TW", "en", "ja", undefined].map(languageOf), ["zh", "zh", "en", "en", "en"]);
});

test("a sentence without its blank's value says nothing there, not 'undefined'", () => {
  assert.equal(say("en", "applied", { name: "Turbo settings" }), "Turbo settings: ");
});
