// @ts-check
/**
 * Polling of nodes. Widgets change by hand, by undo, by other extensions and by loading; polling their values covers
 * all of these without hooks into ComfyUI.
 */

import { isOnGraph } from "./graph.mjs";

/**
 * @typedef {object} Watcher
 * @property {any} node
 * @property {() => string} state what the view depends on; nothing happens while it stays the same
 * @property {() => void | Promise<unknown>} update returns false, or a promise of false, to be called again
 */

const INTERVAL = 300; // milliseconds
const RETRY_POLLS = 10; // polls before an update that failed is called again
const MAX_ABSENT_POLLS = 30; // polls after which a node that is on no canvas is dropped: it was deleted, or a preview

/** @typedef {{state: string | null, isBusy: boolean, wait: number, absent: number}} WatchState */

/** @type {Map<Watcher, WatchState>} */
const watched = new Map();
let timer = 0;

/** @param {Watcher} watcher */
export function watch(watcher) {
  watched.set(watcher, { state: null, isBusy: false, wait: 0, absent: 0 });
  timer ||= window.setInterval(poll, INTERVAL);
}

function poll() {
  if (document.hidden) return;
  for (const [watcher, progress] of watched) {
    progress.absent = isOnGraph(watcher.node) ? 0 : progress.absent + 1;
    if (progress.absent > MAX_ABSENT_POLLS) watched.delete(watcher);
    if (progress.absent || progress.isBusy) continue;
    if (progress.wait > 0) {
      progress.wait -= 1;
      continue;
    }
    const state = watcher.state();
    if (state !== progress.state) void refresh(watcher, progress, state);
  }
}

/** @param {Watcher} watcher @param {WatchState} progress @param {string} state */
async function refresh(watcher, progress, state) {
  progress.isBusy = true;
  try {
    const isDone = (await watcher.update()) !== false;
    progress.state = isDone ? state : "";
    progress.wait = isDone ? 0 : RETRY_POLLS;
  } finally {
    progress.isBusy = false;
  }
}
