// @ts-check
/** UI extras for Z-Image nodes in ComfyUI's frontend. Nodes run the same without them. */
import { app } from "../../scripts/app.js";
import { VOTED_ON, addArena } from "./zimage/arena/arena.mjs";
import { CAPTIONS, addCaptions, watchCaptions } from "./zimage/captions/captions.mjs";
import { MAPPED, addConcepts } from "./zimage/curation/concepts.mjs";
import { COPIES, addWall } from "./zimage/curation/duplicates.mjs";
import { PROFILED, addFindings } from "./zimage/curation/profile.mjs";
import { SEARCHED, addHits } from "./zimage/curation/hits.mjs";
import { CURATED, addProposals } from "./zimage/curation/proposals.mjs";
import { hideAdvanced } from "./zimage/page/advanced.mjs";
import { nameBoxes } from "./zimage/page/box_names.mjs";
import { orderTemplates } from "./zimage/page/comfyui.mjs";
import { watchDoctor } from "./zimage/runs/doctor.mjs";
import { ENHANCER, addEditing } from "./zimage/prompts/enhanced.mjs";
import { addFailure, watchFailures } from "./zimage/runs/failures.mjs";
import { SAVES, addFileName } from "./zimage/page/file_name.mjs";
import { classOf } from "./zimage/page/graph.mjs";
import { LISTED, addLoraRows } from "./zimage/loras/lora_rows.mjs";
import { menuItems } from "./zimage/samplers/menu.mjs";
import { watchMemory } from "./zimage/runs/memory.mjs";
import { METERED, addMeter } from "./zimage/prompts/meter.mjs";
import { DRAWING, SIZED, addLatentSize, addSamplerSize } from "./zimage/sizes/native.mjs";
import { Panel } from "./zimage/page/panel.mjs";
import { PICKED, addPicker } from "./zimage/sizes/picker.mjs";
import { WITH_HISTORY, addHistory, watchRuns } from "./zimage/prompts/prompt_history.mjs";
import { ROOMY, addRoom } from "./zimage/prompts/prompt_box.mjs";
import { SAMPLERS } from "./zimage/samplers/presets.mjs";
import { watchFitted } from "./zimage/runs/fitted.mjs";
import { watchPreviews } from "./zimage/runs/previews.mjs";
import { addReport, watchReports, watchResults } from "./zimage/runs/reports.mjs";
import { addSamplerFacts } from "./zimage/samplers/sampler.mjs";
import { DRAWN, addSigmaCurve } from "./zimage/samplers/sigma_curve.mjs";
import { SETTINGS } from "./zimage/page/settings.mjs";
import { watchTimeLeft } from "./zimage/samplers/time_left.mjs";

app.registerExtension({
  name: "zimage.comfort",
  // @ts-expect-error ComfyUI's types list the ids of its own settings only
  settings: SETTINGS,

  init() {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("./zimage/panel.css", import.meta.url).href;
    document.head.append(sheet);
    orderTemplates();
    watchFailures();
    watchFitted();
    watchReports();
    watchMemory();
    watchResults();
    watchPreviews();
    watchDoctor();
    watchTimeLeft();
    watchCaptions();
    watchRuns();
  },

  nodeCreated(node) {
    const nodeClass = classOf(node);
    const isOurs = nodeClass.startsWith("ZImage");
    if (!isOurs && !DRAWING.includes(nodeClass)) return;
    const panel = new Panel(node);
    addFailure(node, panel);
    if (isOurs) nameBoxes(node);
    if (isOurs) hideAdvanced(node, panel);
    if (METERED.includes(nodeClass)) addMeter(node, nodeClass, panel);
    if (ROOMY.includes(nodeClass)) addRoom(node);
    if (WITH_HISTORY.includes(nodeClass)) addHistory(node, nodeClass, panel);
    if (SAMPLERS.includes(nodeClass)) addSamplerFacts(node, nodeClass, panel);
    if (nodeClass === DRAWN) addSigmaCurve(node, panel);
    if (DRAWING.includes(nodeClass)) addSamplerSize(node, panel);
    if (nodeClass === PICKED) addPicker(node, panel);
    if (SIZED.includes(nodeClass)) addLatentSize(node, panel);
    if (nodeClass === LISTED) addLoraRows(node, panel);
    if (Object.hasOwn(VOTED_ON, nodeClass)) addArena(node, panel, VOTED_ON[nodeClass]);
    if (nodeClass === CAPTIONS) addCaptions(node, panel);
    if (nodeClass === COPIES) addWall(node, panel);
    if (nodeClass === PROFILED) addFindings(node, panel);
    if (nodeClass === SEARCHED) addHits(node, panel);
    if (nodeClass === CURATED) addProposals(node, panel);
    if (nodeClass === MAPPED) addConcepts(node, panel);
    if (nodeClass === SAVES) addFileName(node);
    if (isOurs) addReport(node, panel);
    if (nodeClass === ENHANCER) addEditing(node, panel);
  },

  getNodeMenuItems: menuItems,
});
