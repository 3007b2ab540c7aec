// @ts-check
/** All texts of the browser part in English and Chinese; `{name}` is a placeholder. Pure. */

/** @typedef {"en" | "zh"} Language */

export const MESSAGES = {
  en: {
    tokens: "{about}{used} / {limit} tokens",
    beyond: "longer than the model was trained with; beyond it: “{words}”",
    cut: "the end will be cut: “{words}”",
    closing: "only the closing marks are beyond it",
    unknownWords:
      "nano does not know “{words}”: it draws a circle, square, triangle, star, heart or ring, in eight colours on six backgrounds",
    lastPrompts: "Last prompts",
    editWritten: "Edit this prompt",
    editWrittenTitle: "Puts the prompt into the box; as long as something stands there the model is not asked",
    ownText: "The text in the box is used; the model is not asked.",
    askAgain: "Ask again",
    askAgainTitle: "Empties the box",
    unanswered: "ComfyUI does not answer; this line comes back by itself",
    evaluations: "{count} model calls per picture",
    atMost: "at most {count} model calls per picture",
    took: "last time {count} model calls, {seconds} s per picture",
    left: "about {time} left",
    seeds: "seeds of the pictures: {seeds}",
    showAdvanced: "Show advanced inputs",
    hideAdvanced: "Hide advanced inputs",
    turbo: "Turbo settings",
    base: "Base settings",
    applied: "{name}: {values}",
    turboTooMuch: "{file} is Turbo: made for 8 steps at CFG 1. More looks burnt and takes longer.",
    turboGuided: "{file} is Turbo: made for CFG 1. Above it every step takes twice as long and colours harden.",
    turboSteps: "{file} is Turbo: made for 8 steps. More takes longer and rarely looks better.",
    baseTooLittle: "{file} is not distilled: it needs 28 to 50 steps at CFG 3 to 5.",
    baseInTurbo: "{file} is not distilled: it needs guidance, so draw with Z-Image Sampler.",
    straight: "Straight line",
    noCurve: "These points are no falling curve: from 0 to 1 every point needs a lower sigma than the one before.",
    drawHint: "Click to add a point, drag to move it, double-click to remove it. Arrow keys, Enter and Delete do the same.",
    point: "point at {part}% of the steps, sigma {sigma}",
    size: "{width} × {height} pixels, {megapixels} megapixels",
    ratio: "Draw at {ratio}",
    addLora: "Add LoRA",
    loraText: "Edit as text",
    loraRows: "Show as rows",
    useLora: "Use {name}",
    changeLora: "{name} (click to choose another file)",
    missingLora: "{name} is not in models/loras: click to choose another file",
    previewOf: "Picture of {name}",
    useWord: "Add “{word}” to the prompt",
    wordAdded: "“{word}” now stands in the prompt.",
    wordThere: "“{word}” stands in the prompt already.",
    wordCopied: "“{word}” is copied: paste it where the prompt is written.",
    wordNotCopied: "The browser does not let this page copy “{word}”: open ComfyUI at localhost or over https.",
    unreadStrength: "“{written}” is no strength: write a number with a point, such as 0.8.",
    unreadRest:
      "“{rest}” cannot be read. After the strength may stand >1, @ 0.2-1 and blocks 0-9=0.5, in this order; decimals have a point.",
    strengthOf: "Strength of {name}",
    moveUp: "Move {name} up",
    moveDown: "Move {name} down",
    remove: "Remove {name}",
    searchLoras: "Search models/loras",
    noLoras: "There is no such file in models/loras.",
    badLoraName: "rename it: in the list, # at the beginning switches a LoRA off",
    scaledToLatent: "The picture of {from} was scaled to the latent's {to}.",
    croppedToLatent:
      "The picture of {from} was scaled to the latent's {to} and cropped around the middle: {lost} % of it is cut off.",
    farSize: "{file} was made for {side} × {side} pixels and does not draw well at {width} × {height}.",
    useSize: "Use {side} × {side}",
    sizeSet: "The size is now {side} × {side}, which the model was made for.",
  },
  zh: {
    tokens: "{about}{used} / {limit} 个 token",
    beyond: "超出模型训练时的长度，超出部分：“{words}”",
    cut: "末尾会被截掉：“{words}”",
    closing: "超出的只有结尾标记",
    unknownWords: "nano 不认识“{words}”：它只会画圆形、正方形、三角形、星星、爱心和圆环，有八种颜色、六种背景",
    lastPrompts: "最近的提示词",
    editWritten: "编辑这条提示词",
    editWrittenTitle: "把提示词放进输入框；框里有文字时不再询问模型",
    ownText: "使用框里的文字，不询问模型。",
    askAgain: "重新询问",
    askAgainTitle: "清空输入框",
    unanswered: "ComfyUI 没有回应，恢复后这一行会自动更新",
    evaluations: "每张图调用模型 {count} 次",
    atMost: "每张图最多调用模型 {count} 次",
    took: "上次每张图调用模型 {count} 次，用时 {seconds} 秒",
    left: "大约还需 {time}",
    seeds: "各张图的种子：{seeds}",
    showAdvanced: "显示高级输入",
    hideAdvanced: "隐藏高级输入",
    turbo: "Turbo 设置",
    base: "base 设置",
    applied: "{name}：{values}",
    turboTooMuch: "{file} 是 Turbo：适合 8 步、CFG 1，调高会让画面过火，而且更慢。",
    turboGuided: "{file} 是 Turbo：适合 CFG 1，调高后每步耗时翻倍，颜色也会变硬。",
    turboSteps: "{file} 是 Turbo：适合 8 步，步数再多也只是更慢，很少更好看。",
    baseTooLittle: "{file} 没有蒸馏过：需要 28 到 50 步、CFG 3 到 5。",
    baseInTurbo: "{file} 没有蒸馏过：需要引导，请改用“Z-Image 采样器”。",
    straight: "直线",
    noCurve: "这些点连不成下降的曲线：从 0 到 1，每个点的 sigma 都要比前一个低。",
    drawHint: "单击添加点，拖动移动点，双击删除点；也可用方向键、回车键和 Delete 键。",
    point: "第 {part}% 步处的点，sigma {sigma}",
    size: "{width} × {height} 像素，{megapixels} 百万像素",
    ratio: "按 {ratio} 绘制",
    addLora: "添加 LoRA",
    loraText: "编辑文本",
    loraRows: "显示为列表",
    useLora: "启用 {name}",
    changeLora: "{name}（点击更换文件）",
    missingLora: "models/loras 中没有 {name}：点击选择其他文件",
    previewOf: "{name} 的预览图",
    useWord: "把“{word}”加到提示词里",
    wordAdded: "“{word}”已加到提示词里。",
    wordThere: "提示词里已有“{word}”。",
    wordCopied: "“{word}”已复制，请粘贴到写提示词的地方。",
    wordNotCopied: "浏览器不允许此页面复制“{word}”：请通过 localhost 或 https 打开 ComfyUI。",
    unreadStrength: "“{written}”不是强度：请写一个数字，小数用点号，如 0.8。",
    unreadRest: "无法识别“{rest}”。强度后面可依次写 >1、@ 0.2-1 和 blocks 0-9=0.5；小数用点号。",
    strengthOf: "{name} 的强度",
    moveUp: "上移 {name}",
    moveDown: "下移 {name}",
    remove: "移除 {name}",
    searchLoras: "搜索 models/loras",
    noLoras: "models/loras 中没有这样的文件。",
    badLoraName: "请重命名：列表中以 # 开头表示关闭",
    scaledToLatent: "{from} 的图像已缩放到 Latent 的 {to}。",
    croppedToLatent: "{from} 的图像已缩放到 Latent 的 {to}，并居中裁剪：裁掉了 {lost}%。",
    farSize: "{file} 是按 {side} × {side} 像素训练的，在 {width} × {height} 下画不好。",
    useSize: "改用 {side} × {side}",
    sizeSet: "尺寸已改为模型训练时的 {side} × {side}。",
  },
};

/**
 * The language for a locale of ComfyUI: Chinese for every variant of Chinese, English for everything else.
 * @param {string | undefined} locale
 * @returns {Language}
 */
export function languageOf(locale) {
  return locale?.startsWith("zh") ? "zh" : "en";
}

/**
 * A text with its placeholders replaced.
 * @param {Language} language
 * @param {keyof typeof MESSAGES.en} name
 * @param {Record<string, string | number>} [values]
 */
export function format(language, name, values = {}) {
  return MESSAGES[language][name].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}
