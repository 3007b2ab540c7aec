// @ts-check
/**
 * Sentences of the Python code in the page's language, by templates: `{name}` is any text, itself translated where it is
 * known. English templates are those of the code, which a test looks up there. What is not listed stays English. Pure.
 */
import { SENTENCES, withoutFolders } from "./errors.mjs";
import { MODELS } from "./model_words.mjs";
import { REPORTS } from "./report_sentences.mjs";

/** @typedef {import("../page/messages.mjs").Language} Language */
/** @typedef {{pattern: RegExp, chinese: string, needed: string | undefined}} Template */

const MAX_DEPTH = 6; // of texts inside texts
const PLACEHOLDER = /\{(\w+)\}/g;
const VERBATIM = ["file", "row", "name", "names", "word", "words", "tag", "path", "key", "layer"]; // the artist's own
const NUMBERS = ["count", "seed", "one", "other", "low", "high"]; // hold no space
const JOINTS = /** @type {const} */ ([["; ", "；"], [", ", "，"], [" and ", "、"]]);

/** The first that matches as a whole is taken. @type {Template[]} */
const TEMPLATES = [...MODELS, ...SENTENCES, ...REPORTS].map(([english, chinese, needed]) => ({
  pattern: patternOf(english),
  chinese,
  needed,
}));

/**
 * What the artist reads of an exception's message.
 * @param {string} message
 * @param {Language} language
 */
export function errorText(message, language) {
  const sentence = withoutFolders(message.split("\n\nTIPS:")[0].trim());
  return inLanguage(sentence, language);
}

/**
 * A sentence of the Python code in the page's language, paths and all.
 * @param {string} sentence
 * @param {Language} language
 */
export function inLanguage(sentence, language) {
  return (language === "zh" && sentence && known(sentence)) || sentence;
}

/** @param {string} english */
function patternOf(english) {
  const literal = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const pattern = literal.replace(PLACEHOLDER, (_, name) => `(?<${name}>${NUMBERS.includes(name) ? "\\S" : "."}+?)`);
  return new RegExp(`^${pattern}$`, "s");
}

/**
 * A text's Chinese, or null if it is not known: a template's, a name or number, or several of these in a list.
 * @param {string} text
 * @param {number} [depth]
 * @returns {string | null}
 */
function known(text, depth = 0) {
  if (depth > MAX_DEPTH) return null;
  return filled(text, depth) ?? (/\s/.test(text) ? joined(text, depth) : text);
}

/** By the first template that fits, and whose `needed` part is known. @param {string} text @param {number} depth */
function filled(text, depth) {
  for (const { pattern, chinese, needed } of TEMPLATES) {
    const match = pattern.exec(text);
    const values = match?.groups ?? {};
    if (!match || (needed && known(values[needed], depth + 1) === null)) continue;
    return chinese.replace(PLACEHOLDER, (_, name) =>
      VERBATIM.includes(name) ? values[name] : (known(values[name], depth + 1) ?? values[name]),
    );
  }
  return null;
}

/** A list of which every part is known. @param {string} text @param {number} depth @returns {string | null} */
function joined(text, depth) {
  for (const [joint, chinese] of JOINTS) {
    for (let at = text.indexOf(joint); at > 0; at = text.indexOf(joint, at + 1)) {
      const head = text.slice(0, at);
      const first = filled(head, depth + 1) ?? (/\s/.test(head) ? null : head);
      const rest = first === null ? null : known(text.slice(at + joint.length), depth);
      if (rest !== null) return first + chinese + rest;
    }
  }
  return null;
}
