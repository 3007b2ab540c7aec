import assert from "node:assert/strict";
import { test } from "node:test";
import { SENTENCES, errorText, isRaisedIn, withoutFolders } from "../../js/zimage/runs/errors.mjs";

const placeholdersOf = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, key]) => key).sort();

test("every sentence has its Chinese with the same values", () => {
  for (const [english, chinese] of SENTENCES) assert.deepEqual(placeholdersOf(chinese), placeholdersOf(english), english);
});

test("a known sentence is Chinese throughout, an unknown one stays as it is", () => {
  const wrong = "flux1.safetensors is a FLUX-type diffusion model, not a Z-Image diffusion model; choose a file like " +
    "z_image_turbo_bf16.safetensors from models/diffusion_models\n";
  assert.equal(
    errorText(wrong, "zh"),
    "flux1.safetensors 是 FLUX 类扩散模型，不是 Z-Image 的扩散模型；请从 models/diffusion_models 中选择 z_image_turbo_bf16.safetensors 这样的文件。",
  );
  assert.equal(errorText(wrong, "en"), wrong.trim());
  assert.equal(
    errorText("X axis, prompt: no values are written. Write for example a red circle (one prompt a line), or set the axis to none.", "zh"),
    "X 轴（prompt）：没有写值。例如写 一个红色的圆（每行一个提示词），或把这个轴设为 none。",
  );
  assert.equal(errorText("Something else (broke).", "zh"), "Something else (broke).");
});

test("ComfyUI's own tips are left out", () => {
  assert.equal(errorText("No.\n\nTIPS: If you have any", "en"), "No.");
});

test("folders of the server are not shown, names and everything else are", () => {
  const shortened = {
    "no file at /srv/comfy/models/vae/ae.safetensors; check it": "no file at ae.safetensors; check it",
    "[Errno 2] No such file: '/home/a user/ComfyUI/x.png'": "[Errno 2] No such file: 'x.png'",
    "no file at C:\\ComfyUI\\models\\a.gguf here": "no file at a.gguf here",
  };
  for (const [given, expected] of Object.entries(shortened)) assert.equal(withoutFolders(given), expected);
  for (const same of ["from models/vae, 1/8 of 16/9", "see https://a.org/b/c", "euler / heun", "don't cut it's / that's"]) {
    assert.equal(withoutFolders(same), same);
  }
});

test("an exception is ours by its innermost line, on every system", () => {
  const frame = (path) => `  File "${path}", line 1, in f\n`;
  const ours = frame("/srv/custom_nodes/zimage-nodes/nodes/bridge/network/dit.py");
  const stock = frame("/srv/comfy/samplers.py");
  assert.ok(isRaisedIn([stock, ours], "zimage-nodes") && !isRaisedIn([ours, stock], "zimage-nodes"));
  assert.ok(isRaisedIn([frame("C:\\custom_nodes\\zimage-nodes\\zimage_core\\x.py")], "zimage-nodes"));
  assert.ok(!isRaisedIn(undefined, "zimage-nodes") && !isRaisedIn([], "zimage-nodes"));
});
