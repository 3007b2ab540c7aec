import assert from "node:assert/strict";
import { test } from "node:test";
import { SENTENCES } from "../../js/zimage/runs/errors.mjs";
import { MODELS } from "../../js/zimage/runs/model_words.mjs";
import { REPORTS } from "../../js/zimage/runs/report_sentences.mjs";
import { errorText, inLanguage } from "../../js/zimage/runs/translation.mjs";

const placeholdersOf = (sentence) => [...new Set([...sentence.matchAll(/\{(\w+)\}/g)].map(([, key]) => key))].sort();

test("every sentence has its Chinese with the same values", () => {
  for (const [english, chinese, needed] of [...SENTENCES, ...MODELS, ...REPORTS]) {
    assert.deepEqual(placeholdersOf(chinese), placeholdersOf(english), english);
    assert.ok(!needed || placeholdersOf(english).includes(needed), english);
  }
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

test("a line of a report is Chinese with every part of it", () => {
  const lines = {
    "taste.safetensors: learned from 1 pair": "taste.safetensors：从 1 对图片学成",
    "taste.safetensors: learned from a score of 3 prompts": "taste.safetensors：从 3 条提示词的评分学成",
    "turbo.safetensors: a student of 900 prompts, for 4 steps at CFG 1":
      "turbo.safetensors：从 900 条提示词学成的学生，用 4 步、CFG 1",
    "Got worse beside the model's own: saturation, high-frequency energy": "与模型自己的图片相比变差了：饱和度 saturation，高频能量",
    "So it ended at step 40, and the best average was saved, that of step 25":
      "因此在第 40 步提前结束，保存了最好的平均值，即第 25 步的",
    "CFG 0.5 is less than no guidance, which is 1: choose 1 or more, or 0 for the model's own":
      "CFG 0.5 比没有引导（1）还低：请选择 1 或更大，或用 0 采用模型自己的。",
    "nano.safetensors is an all-in-one checkpoint: a Z-Image diffusion model, a Z-Image text encoder":
      "nano.safetensors：整合模型：Z-Image 的扩散模型，Z-Image 的文本编码器",
    "Release: Turbo (8 steps, CFG 1); its header's modelspec.title says so": "版本：Turbo（8 步，CFG 1）；由文件头的 modelspec.title 得知",
    "Numbers: float8_e4m3fn with scales (97%), bfloat16 (3%)": "数值格式：float8_e4m3fn（带缩放系数）（97%），bfloat16（3%）",
    "Layers: 36; the text encoder has 35 of its 36 layers: all that run, as ComfyUI saves a loaded one":
      "层数：36；文本编码器有 36 层中的 35 层：会运行的都在，ComfyUI 保存已加载的模型时就是这样",
    "a.safetensors: full difference and LoRA, by OneTrainer": "a.safetensors：完整差值、LoRA，由 OneTrainer 训练",
    "Matched: 48, rank 4, 16, no alpha": "匹配：48，秩 4，16，无 alpha",
    "Together they change the weights by 3.1 % (each alone: 2 %, 2.4 %); all strengths x 0.5 bring that to 1.6 %.":
      "它们合起来使权重改变了 3.1 %（各自单独：2 %，2.4 %）；所有强度乘以 0.5 后降为 1.6 %。",
  };
  for (const [english, chinese] of Object.entries(lines)) {
    assert.equal(inLanguage(english, "zh"), chinese);
    assert.equal(inLanguage(english, "en"), english);
  }
});

test("reports of comparisons are Chinese but for the artist's words and the dropdown's names of scores", () => {
  const lines = {
    "picture 3 of 12: strength 0.5; a fox, in snow, seed 7": "第 3 张，共 12 张：强度 0.5；a fox, in snow，种子 7",
    "Verdict by noise (8-bit levels), lower is better: B is better": "按 噪点 noise（8 位色阶），越低越好 的结论：B 更好",
    "A is the connected model, B is model B with the same settings.": "A 用所连接的模型；B 用模型 B，设置相同。",
    "A is the connected model, B the same with steps = 4, CFG = 2.": "A 用所连接的模型；B 用同一模型，但 steps = 4, CFG = 2。",
    "B - A: -0.29 (-0.5 to -0.1), p = 0.03, 8 pairs (McNemar, 1 better, 4 worse)":
      "B - A：-0.29（-0.5 至 -0.1），p = 0.03，8 对（McNemar 检验，1 对更好，4 对更差）",
    "a fox: red, in snow (2), seed 7: 1, 0.5 (-0.5)": "a fox: red, in snow (2)，种子 7：1，0.5（-0.5）",
    "Take strength 1.5: it brings the most before pictures burn at 6.": "建议强度 1.5：到 6 就会烧图，在此之前它带来最多。",
    "Measured: likeness to the references; burning above 1 is too much.": "测量：与参考图的相似度；烧图程度超过 1 就过头了。",
    "strength 6: 37.33, burning 1.86 (saturation x2.59, contrast x0.68, detail x0.48)":
      "强度 6：37.33，烧图 1.86（饱和度 ×2.59，对比度 ×0.68，细节 ×0.48）",
    "scene (nano's checker), all: 0.9000 (0.6756 to 1.0000), 8 pictures": "场景（nano 的检查器），全部：0.9000（0.6756 至 1.0000），8 张图",
  };
  for (const [english, chinese] of Object.entries(lines)) assert.equal(inLanguage(english, "zh"), chinese);
});

test("what a training takes of memory is Chinese, whatever it learns and whether it fits", () => {
  const lines = {
    "training takes 16.0 GB": "训练占用 16.0 GB",
    "base 12.3 GB": "底模 12.3 GB",
    "base in int8 90 MB": "int8 底模 90 MB",
    "4 layers stream from 2.1 GB of RAM": "4 层从内存 2.1 GB 中按需加载",
    "lora of rank 32 with gradients, optimizer and average 1.4 GB": "秩 32 的 lora 及其梯度、优化器和平均值 1.4 GB",
    "all weights with gradients, optimizer and average 1.4 GB": "全部权重及其梯度、优化器和平均值 1.4 GB",
    "activations of 1 x 4608 tokens, computed again in each block, 2.3 GB": "1 × 4608 个 token 的激活值，每个块内重新计算，2.3 GB",
    "activations of 2 x 96 tokens, kept, 20 MB": "2 × 96 个 token 的激活值，保留，20 MB",
    "23.1 GB are free": "可用 23.1 GB",
    "That does not fit: it would with rank = 4 (58 MB)": "放不下：改用 rank = 4 (58 MB) 就可以",
    "That does not fit: no setting but smaller pictures (side) helps": "放不下：只有缩小图片（side）才行",
  };
  for (const [english, chinese] of Object.entries(lines)) assert.equal(inLanguage(english, "zh"), chinese);
});

test("what scores saw is Chinese where the words are ours", () => {
  const lines = {
    "picture 2: 0.8, seen: circle, red, large, in the top left corner, on a white background":
      "第 2 张：0.8，看到：圆形，红色，大，左上角，白色背景",
    "try 1, seed 7: 0, seen: nothing in the sky": "第 1 次，种子 7：0，看到：什么都没有，天空背景",
    "picture 1 (a): 0, seen: no bus, no cow": "第 1 张（a）：0，看到：没有 bus，没有 cow",
    "picture 1: 0.4, seen: How many foxes? two is 40% likely": "第 1 张：0.4，看到：How many foxes? two 的可能性为 40%",
    "picture 1: 3, seen: The fox has five legs.": "第 1 张：3，看到：The fox has five legs.",
  };
  for (const [english, chinese] of Object.entries(lines)) assert.equal(inLanguage(english, "zh"), chinese);
});

test("the artist's own words stay as they are, and so does what only looks like a line of ours", () => {
  assert.equal(inLanguage('The request stays as it is: the text "OPEN" is missing.', "zh"), '要求保持原样：缺少文字 "OPEN"。');
  assert.equal(inLanguage("The model lost this, so it was put back: red, ring.", "zh"), "模型漏掉了这些，已补回：red, ring。");
  assert.equal(inLanguage("Trigger words: black, norm", "zh"), "触发词：black, norm");
  assert.equal(inLanguage("9 of 512 tokens; weights: black 1.5", "zh"), "9 / 512 个 token；权重：black 1.5");
  assert.equal(inLanguage("picture 1: 0.5, read: red, ring", "zh"), "第 1 张：0.5，读到：red, ring");
  for (const same of ["the fox is a red one", "a cat, a dog and a bird", "notes: one, by nobody", "It works.", ""]) {
    assert.equal(inLanguage(same, "zh"), same);
  }
});
