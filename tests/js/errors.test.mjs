import assert from "node:assert/strict";
import { test } from "node:test";
import { isRaisedIn, withoutFolders } from "../../js/zimage/runs/errors.mjs";

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
