// @ts-check
/** The wall on Z-Image Find Duplicates: copies, each group beside what it is a copy of. */
import { addWallOf } from "./wall.mjs";

export const COPIES = "ZImageFindDuplicates";

/** @param {any} node @param {import("../page/panel.mjs").Panel} panel */
export function addWall(node, panel) {
  addWallOf(node, panel, { output: "zimage_duplicates", words: "wall" });
}
