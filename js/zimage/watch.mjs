// @ts-check
/**
 * Nodes that are looked at a few times a second. Widgets change by hand, by undo, by other extensions and by loading; a
 * look at their values sees all of it and needs no hook into ComfyUI.
 */

/**
 * @typedef {object} Watcher
 * @property {any} node
 * @property {() => string} state what the view depends on; nothing happens while it stays the same
 * @property {() => void | Promise<unknown>} update false or a promise of false asks to be called again
 */

const EVERY = 300; // milliseconds
const PATIENCE = 10; // looks between two calls of an update that failed
const FORGOTTEN = 30; // looks after which a node that is on no canvas is given up: it was deleted, or only tried on

/** @typedef {{state: string | null, isBusy: boolean, wait: number, absent: number}} Seen */

/** @type {Map<Watcher, Seen>} */
const watched = new Map();
let timer = 0;

/** @param {Watcher} watcher */
export function watch(watcher) {
  watched.set(watcher, { state: null, isBusy: false, wait: 0, absent: 0 });
  timer ||= window.setInterval(look, EVERY);
}

function look() {
  if (document.hidden) return;
  for (const [watcher, seen] of watched) {
    seen.absent = watcher.node.graph ? 0 : seen.absent + 1;
    if (seen.absent > FORGOTTEN) watched.delete(watcher);
    if (seen.absent || seen.isBusy) continue;
    if (seen.wait > 0) {
      seen.wait -= 1;
      continue;
    }
    const state = watcher.state();
    if (state !== seen.state) void refresh(watcher, seen, state);
  }
}

/** @param {Watcher} watcher @param {Seen} seen @param {string} state */
async function refresh(watcher, seen, state) {
  seen.isBusy = true;
  try {
    const isDone = (await watcher.update()) !== false;
    seen.state = isDone ? state : "";
    seen.wait = isDone ? 0 : PATIENCE;
  } finally {
    seen.isBusy = false;
  }
}
