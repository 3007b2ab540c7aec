// @ts-check
/**
 * Errors of a run in the page's language. English sentences are those of the Python code, which a test looks up there;
 * `{name}` is any text, itself translated where it is known. Sentences not listed stay English. Pure.
 */

/** @typedef {import("../page/messages.mjs").Language} Language */

const MAX_DEPTH = 3; // of texts inside texts

/** English and Chinese; the first that matches as a whole is taken. @type {[string, string][]} */
export const SENTENCES = [
  // files
  ["{file} is {what}, not a Z-Image {network}; {remedy}", "{file} 是 {what}，不是 Z-Image 的{network}；{remedy}。"],
  ["{file} is {what}, not a LoRA; {remedy}", "{file} 是 {what}，不是 LoRA；{remedy}。"],
  ["{file} is incomplete: {found} of {expected} bytes are there; download it again", "{file} 不完整：只有 {found} 字节，应有 {expected} 字节；请重新下载。"],
  ["{file} is not a readable safetensors file ({reason}); download it again", "{file} 不是可读的 safetensors 文件（{reason}）；请重新下载。"],
  ["{file} is not a safetensors file or a GGUF; other formats are not read, pickles never: use a .safetensors", "{file} 既不是 safetensors 也不是 GGUF；其他格式不读取，pickle 一律不读：请使用 .safetensors 文件。"],
  ["{file} does not fit the network its shapes describe: {keys}. It may be damaged, quantised in an unknown way, or of another model; download the original file", "{file} 与其张量形状所描述的网络不符：{keys}。文件可能已损坏、以未知方式量化，或属于别的模型；请下载原始文件。"],
  ["{file} changes nothing in this model: none of its {count} weights is there ({names}). Use it with the model it was made for", "{file} 对这个模型不起作用：它的 {count} 个权重这里一个也没有（{names}）。请与它所属的模型一起使用。"],
  ["{file} does not fit this model: its change to {key} has shape {shape}, the weight there {found}. It was trained for a model of another size; use it with that one", "{file} 与这个模型不匹配：它对 {key} 的改动形状是 {shape}，而这里的权重是 {found}。它是为另一种大小的模型训练的，请与那个模型一起使用。"],
  ["{file} is a GGUF file with packed weights, and reading those needs the gguf library; install it into ComfyUI's Python with: pip install gguf", "{file} 是带压缩权重的 GGUF 文件，读取它需要 gguf 库；请在 ComfyUI 的 Python 中安装：pip install gguf"],
  ["{file} holds numbers that are not finite in {key}: its training failed, or the file is damaged; use an earlier save of it, or download it again", "{file} 的 {key} 中含有非有限数值（NaN 或无穷大）：训练失败，或文件已损坏；请改用它较早保存的版本，或重新下载。"],
  ["Line {line}: there is no LoRA {name} in models/loras. The nearest names are {near}; write one of them, or put # before the line.", "第 {line} 行：models/loras 里没有 LoRA {name}。最接近的文件名是 {near}；请改成其中之一，或在行首加 #。"],
  ["Line {line}: there is no LoRA {name} in models/loras, nor one of a similar name. Put the file there, or put # before the line.", "第 {line} 行：models/loras 里没有 LoRA {name}，也没有相近的文件名。请把文件放到那里，或在行首加 #。"],
  ["Line {line}: {tag} is how other programs write a LoRA in a prompt. Here it is a file, a colon and a strength: {name}.safetensors : 0.8", "第 {line} 行：{tag} 是其他程序在提示词里的 LoRA 写法。这里请写成文件名、冒号和强度：{name}.safetensors : 0.8"],
  ["Line {line}: no file name stands before the colon. Write it as: style.safetensors : 0.8", "第 {line} 行：冒号前没有文件名。请写成：style.safetensors : 0.8"],
  ["Line {line}: the strength is '{found}', not a number. Write it as: style.safetensors : 0.8", "第 {line} 行：强度是“{found}”，不是数字。请写成：style.safetensors : 0.8"],
  ["Line {line}: after @ stands '{found}', not two numbers from 0 to 1, the smaller first. Write it as: style.safetensors : 0.8 @ 0.2-1", "第 {line} 行：@ 后面是“{found}”，应为 0 到 1 之间的两个数，小的在前。请写成：style.safetensors : 0.8 @ 0.2-1"],
  ["Line {line}: after blocks stands '{found}', not a block with a number. Write it as: style.safetensors : 0.8 blocks 0-9=0.5 noise_refiner=0 rest=1", "第 {line} 行：blocks 后面的“{found}”不是带数值的模块。请写成：style.safetensors : 0.8 blocks 0-9=0.5 noise_refiner=0 rest=1"],
  ["Line {line}: {file} cannot change its strength between steps, because it holds more than additions to layers ({found}). Leave out @ and > in this line.", "第 {line} 行：{file} 不能在各步之间改变强度，因为它不只是对各层的叠加（{found}）。请去掉这一行里的 @ 和 >。"],
  ["no file at {path}; check the name, or put the file there", "找不到文件 {path}；请检查文件名，或把文件放到那里。"],
  ["{file} cannot be read ({reason}); check its permissions and its disk", "{file} 无法读取（{reason}）；请检查文件权限和磁盘。"],
  // what a file is, and what to do
  ["{what} (it belongs in models/{folder})", "{what}（应放在 models/{folder}）"],
  ["a Z-Image {network}", "Z-Image 的{network}"],
  ["diffusion model", "扩散模型"],
  ["text encoder", "文本编码器"],
  ["autoencoder (VAE)", "自编码器（VAE）"],
  ["vision encoder (SigLIP 2)", "视觉编码器（SigLIP 2）"],
  ["a LoRA", "LoRA"],
  ["a LoKr", "LoKr"],
  ["a LoHa", "LoHa"],
  ["a {name} text encoder", "{name} 文本编码器"],
  ["a CLIP text encoder", "CLIP 文本编码器"],
  ["a T5 text encoder", "T5 文本编码器"],
  ["a FLUX.2 diffusion model", "FLUX.2 扩散模型"],
  ["a FLUX-type diffusion model", "FLUX 类扩散模型"],
  ["a Chroma diffusion model", "Chroma 扩散模型"],
  ["a Stable Diffusion 3 model", "Stable Diffusion 3 模型"],
  ["a Stable Diffusion XL model", "Stable Diffusion XL 模型"],
  ["a Stable Diffusion model", "Stable Diffusion 模型"],
  ["a Qwen-Image model", "Qwen-Image 模型"],
  ["a Wan video model", "Wan 视频模型"],
  ["a Lumina-type model (Lumina-Image 2)", "Lumina 类模型（Lumina-Image 2）"],
  ["a vision-language model", "视觉语言模型"],
  ["another language model", "另一种语言模型"],
  ["another autoencoder (Wan's or Qwen-Image's)", "另一种自编码器（Wan 或 Qwen-Image 的）"],
  ["another autoencoder (of a video model)", "另一种自编码器（视频模型的）"],
  ["Stable Diffusion's, 4 latent channels", "Stable Diffusion 的，4 个 Latent 通道"],
  ["FLUX.2's, 32 latent channels", "FLUX.2 的，32 个 Latent 通道"],
  ["8 latent channels", "8 个 Latent 通道"],
  ["64 latent channels", "64 个 Latent 通道"],
  ["128 latent channels", "128 个 Latent 通道"],
  ["another autoencoder ({whose})", "另一种自编码器（{whose}）"],
  ["another autoencoder", "另一种自编码器"],
  ["a ControlNet of another model", "其他模型的 ControlNet"],
  ["a SigLIP vision encoder", "SigLIP 视觉编码器"],
  ["a picture upscaler (ESRGAN)", "图像放大模型（ESRGAN）"],
  ["an unknown model (its {count} tensors begin with {first})", "未知模型（共 {count} 个张量，第一个是 {first}）"],
  ["choose a file like {example} from models/{folder}", "请从 models/{folder} 中选择 {example} 这样的文件"],
  ["load it with a LoRA loader on top of a Z-Image model", "请用 LoRA 加载节点把它加载到 Z-Image 模型上"],
  ["use a LoRA trained for Z-Image, from models/loras", "请使用 models/loras 中为 Z-Image 训练的 LoRA"],
  ["Z-Image reads prompts with Qwen3-4B: use qwen_3_4b.safetensors", "Z-Image 用 Qwen3-4B 读取提示词：请使用 qwen_3_4b.safetensors"],
  ["Z-Image needs FLUX.1's autoencoder: use ae.safetensors", "Z-Image 需要 FLUX.1 的自编码器：请使用 ae.safetensors"],
  // companions
  ["No text encoder is connected: the checkpoint loaded here holds none. Use Z-Image Load Text Encoder.", "没有连接文本编码器：所加载的模型文件里不含文本编码器。请使用“Z-Image 加载文本编码器”。"],
  ["No VAE is connected: the checkpoint loaded here holds none. Use Z-Image Load VAE with ae.safetensors.", "没有连接 VAE：所加载的模型文件里不含 VAE。请用“Z-Image 加载 VAE”加载 ae.safetensors。"],
  ["This CLIP is {name}, but Z-Image reads prompts with Qwen3-4B. Load qwen_3_4b.safetensors with Z-Image Load Text Encoder, or with the stock Load CLIP of type lumina2.", "这个 CLIP 是 {name}，而 Z-Image 用 Qwen3-4B 读取提示词。请用“Z-Image 加载文本编码器”加载 qwen_3_4b.safetensors，或用官方的“加载CLIP”（类型 lumina2）。"],
  ["The prompt's features are {width} wide, but this model reads {expected}. Load the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano.", "提示词的特征宽度是 {width}，而这个模型需要 {expected}。请加载与模型配套的文本编码器：qwen_3_4b.safetensors，nano 则用 nano 自带的。"],
  ["The vision features are {width} wide, but this model reads {expected}. Load the vision model that belongs to it: SigLIP 2 so400m NaFlex, or nano's for nano.", "视觉特征的宽度是 {width}，而这个模型需要 {expected}。请加载与模型配套的视觉模型：SigLIP 2 so400m NaFlex，nano 则用 nano 自带的。"],
  ["This VAE makes latents of {channels} channels at 1/{factor} of the size; Z-Image needs {expected} at 1/{cell}. Load ae.safetensors, the FLUX autoencoder.", "这个 VAE 的 Latent 有 {channels} 个通道、边长为 1/{factor}；Z-Image 需要 {expected} 个通道、1/{cell}。请加载 FLUX 的自编码器 ae.safetensors。"],
  ["This sampler runs Z-Image models, but the model here is {name}. Load a Z-Image file with Z-Image Load Model or the stock Load Diffusion Model, or use the stock KSampler.", "这个采样器只运行 Z-Image 模型，而这里的模型是 {name}。请用“Z-Image 加载模型”或官方的“UNet加载器”加载 Z-Image 文件，或改用官方的“K采样器”。"],
  ["This model is {name}, not a Z-Image diffusion model: {found}. Load a Z-Image file with Load Diffusion Model.", "这个模型是 {name}，不是 Z-Image 扩散模型：{found}。请用“UNet加载器”加载 Z-Image 文件。"],
  ["This model is run by ComfyUI's own code ({name}), which knows nothing of this node. Put Z-Image Attach before it, or load the model with Z-Image Load Model.", "这个模型由 ComfyUI 自己的代码（{name}）运行，不认识此节点。请在前面加上“Z-Image 接管”，或用“Z-Image 加载模型”加载模型。"],
  ["This ControlNet is made for a model {width} wide with {heads} heads, but the model here is {found} wide with {own}. Use a ControlNet of the same model.", "这个 ControlNet 适用于宽 {width}、{heads} 头的模型，而这里的模型宽 {found}、{own} 头。请使用同一模型的 ControlNet。"],
  ["This Z-Image model cannot look at reference pictures; only Omni and Edit checkpoints can, and Turbo and base are not among them. Load one of those, or set 'pictures' to 'ignore' in Z-Image Edit Encode to draw from the words alone.", "这个 Z-Image 模型看不了参考图：只有 Omni 和 Edit 模型可以，Turbo 和 base 不行。请加载那样的模型，或在“Z-Image 编辑编码”中把 pictures 设为 ignore，只按文字出图。"],
  // pictures, masks, latents
  ["There is no picture: the image connected here is empty.", "没有图像：这里连接的图像是空的。"],
  ["There is no mask; paint one in Load Image's mask editor and connect its mask output.", "没有遮罩；请在“加载图像”的遮罩编辑器里画一个，并连接它的遮罩输出。"],
  ["A picture of {width}x{height} pixels is too small to encode: both sides must be at least {least} pixels. Upscale it first.", "{width}x{height} 像素的图像太小，无法编码：两边都至少要有 {least} 像素。请先放大。"],
  ["Picture {index} has {width}x{height} pixels, too few to look at: both sides must have at least {least} when it is shrunk. Upscale or crop it first, or leave it out.", "第 {index} 张图像只有 {width}x{height} 像素，太小：缩小后两边都至少要有 {least} 像素。请先放大或裁剪，或去掉它。"],
  ["Picture {index} has {width}x{height} pixels, more than the {most} megapixels that can be looked at. Set 'megapixels' to 1, so that pictures are shrunk first.", "第 {index} 张图像有 {width}x{height} 像素，超过了 {most} 百万像素的上限。请把百万像素设为 1，图像会先被缩小。"],
  ["This picture of {width}x{height} pixels is not the region that was cut out, which was sampled at {across}x{down}: connect the decoded result of the same Inpaint or Outpaint node.", "这张 {width}x{height} 像素的图像不是裁出的区域（采样尺寸为 {across}x{down}）：请连接同一个局部重绘或扩图节点解码后的结果。"],
  ["This latent has shape {shape}; Z-Image needs {channels} channels of one picture. It comes from another model's VAE: encode the picture with Z-Image's (ae.safetensors).", "这个 Latent 的形状是 {shape}；Z-Image 需要单张图的 {channels} 个通道。它来自别的模型的 VAE：请用 Z-Image 的 VAE（ae.safetensors）编码图像。"],
  ["No picture is connected to look at. Connect one to 'images', or set 'pictures' to 'ignore' to draw from the words alone.", "没有连接参考图。请连接到 images，或把 pictures 设为 ignore，只按文字出图。"],
  ["The ControlNet has nothing to look at: connect a control picture to 'image' (edges, depth, a pose), or a picture and a mask to 'inpaint_image' and 'mask'.", "ControlNet 没有可看的内容：请把控制图（边缘、深度、姿势）连到 image，或把图像和遮罩连到 inpaint_image 和 mask。"],
  // what a node's report says of its pictures and masks
  ["The mask is {mask} and the picture {picture}: the mask was stretched to it.", "遮罩是 {mask}，图像是 {picture}：遮罩已拉伸到图像的大小。"],
  ["The mask is {width}x{height} and inpaint_image {picture}: each is cropped to the latent's ratio by itself, so they do not cover the same place. Give both the same ratio.", "遮罩是 {width}x{height}，inpaint_image 是 {picture}：两者各自裁剪到 Latent 的比例，所以覆盖的位置不同。请让两者比例相同。"],
  ["The mask is white everywhere: the whole picture is repainted. Invert it if it was to be kept.", "遮罩全是白的：整张图都会重绘。如果本来要保留，请反转遮罩。"],
  ["The mask is {found}: {what}", "遮罩{found}：{what}"],
  ["black", "全黑"],
  ["at most {brightness} bright, and grey counts from one half up", "最亮处只有 {brightness}，而灰色从 0.5 起才算"],
  ["nothing is repainted. Paint white where the picture is to change.", "什么都不会重绘。请把要改的地方涂白。"],
  ["Nothing is left of the mask when it is shrunk: nothing is repainted. Set grow to 0 or more.", "遮罩收缩后什么也不剩：什么都不会重绘。请把“扩展”设为 0 或更大。"],
  ["The control picture is one colour and steers nothing: connect edges, depth or a pose.", "控制图只有一种颜色，不起作用：请连接边缘、深度或姿势图。"],
  ["The picture of {size} was {how} to {encoded}.", "{size} 的图像已{how}为 {encoded}。"],
  ["cropped", "裁剪"],
  ["scaled and cropped", "缩放并裁剪"],
  ["The built-in nano model was made for {wide}x{high} pixels and does not draw well at {width}x{height}. Set the size to {across}x{down}, which is 0.004 megapixels.", "内置的 nano 模型是按 {wide}x{high} 像素训练的，在 {width}x{height} 下画不好。请把尺寸设为 {across}x{down}，即 0.004 百万像素。"],
  // choices, wildcards and styles of a prompt
  ["The brace } at character {at} of the prompt closes nothing: remove it, or write \\} to keep it as it is.", "提示词第 {at} 个字符处的 } 没有对应的左括号：请删掉它，或写成 \\} 保留原样。"],
  ["The brace { at character {at} of the prompt is not closed: close it with }, or write \\{ to keep it as it is.", "提示词第 {at} 个字符处的 { 没有闭合：请用 } 闭合，或写成 \\{ 保留原样。"],
  ["The prompt has more than {most} braces inside one another; write it flatter.", "提示词里的大括号嵌套超过 {most} 层；请减少嵌套。"],
  ["{{count}…} asks for {wanted} different texts of {possible}: write more of them between bars, or a smaller number.", "{{count}…} 要从 {possible} 个里选 {wanted} 个不同的词：请用竖线多写几个，或改小数字。"],
  ["This prompt has more than {most} choices to decide; use fewer.", "这条提示词要选择的地方超过 {most} 处；请减少一些。"],
  ["Every text of a choice has weight 0: give one of them a weight above 0.", "某处备选词的权重全是 0：请至少给其中一个大于 0 的权重。"],
  ["There is no wildcard file {name}.txt: {known}.", "没有通配符文件 {name}.txt：{known}。"],
  ["{folders} hold no .txt file yet", "{folders} 里还没有 .txt 文件"],
  ["in {folders} there are {names}", "{folders} 里有 {names}"],
  ["user/zimage/wildcards and models/wildcards", "user/zimage/wildcards 和 models/wildcards"],
  ["The wildcard file {name}.txt holds no line to choose; write one text on each line.", "通配符文件 {name}.txt 里没有可选的行；请每行写一个词。"],
  ["The wildcard {name} leads back to itself: {names}.", "通配符 {name} 又引用回自己：{names}。"],
  ["More than {most} wildcards lead to one another: {names}.", "通配符之间的引用超过 {most} 层：{names}。"],
  ["The wildcards of this prompt grow beyond {most} characters; use fewer.", "这条提示词的通配符展开后超过 {most} 个字符；请减少一些。"],
  ["The line {line} of the wildcard {name} cannot be read. {reason}", "通配符 {name} 中的一行 {line} 无法读取。{reason}"],
  ["{file} has more than {most} MB; split it into smaller files.", "{file} 超过 {most} MB；请拆成几个小文件。"],
  ["{file} is not UTF-8 text; save it as UTF-8.", "{file} 不是 UTF-8 文本；请另存为 UTF-8。"],
  ["The styles in user/zimage/{name} cannot be read: {reason}.", "user/zimage/{name} 里的风格无法读取：{reason}。"],
  ["it is not JSON ({reason})", "它不是 JSON（{reason}）"],
  ["it is not a list of styles", "它不是风格列表"],
  ["{entry} is no style: it needs a \"name\" and a \"text\"", "{entry} 不是风格：需要“name”和“text”"],
  ["it is not a table ({reason})", "它不是表格（{reason}）"],
  ["its first line does not name the columns name and prompt", "它的第一行没有列名 name 和 prompt"],
  ["There is no style called {name}: choose one from the list, or none.", "没有名为 {name} 的风格：请从列表中选一个，或选 none。"],
  // drawn schedules
  ["The curve needs at least two points, but the text has {count}. Write for example: {example}", "曲线至少要有两个点，而这里有 {count} 个。例如：{example}"],
  ["'{found}' is not a point of the curve. Write the part of the steps, a space and sigma, with commas between points: 0 1, 0.5 0.85, 1 0", "“{found}”不是曲线上的点。请写步数比例、空格和 sigma，点与点之间用逗号分隔：0 1, 0.5 0.85, 1 0"],
  ["The point {point} lies outside the curve: both its numbers must be from 0 to 1.", "点 {point} 在曲线范围之外：两个数都要在 0 到 1 之间。"],
  ["The point {point} does not go on downward from {before}: from point to point the part of the steps must rise and sigma must fall.", "点 {point} 没有从 {before} 继续下降：每个点的步数比例都要比前一个大，sigma 都要比前一个低。"],
  ["The curve goes from {first} to {last} of the steps. Let its first point begin with 0 and its last one with 1.", "曲线只覆盖步数的 {first} 到 {last}。请让第一个点以 0 开头，最后一个点以 1 开头。"],
  ["The curve is so flat that two of {steps} steps have the same sigma. Take fewer steps, or move its points apart.", "曲线太平，{steps} 步中有两步的 sigma 相同。请减少步数，或把点拉开。"],
  // grids
  ["{letter} axis, {name}: no values are written. Write for example {example}, or set the axis to none.", "{letter} 轴（{name}）：没有写值。例如写 {example}，或把这个轴设为 none。"],
  ["{letter} axis, {name}: '{words}' does not stand in the prompt. The first value is what the others replace; write it as it stands there.", "{letter} 轴（{name}）：提示词里没有“{words}”。第一个值是被其余值替换的文字，请照提示词里的样子写。"],
  ["{letter} axis, {name}: {why}", "{letter} 轴（{name}）：{why}"],
  ["'{word}' is not a {noun} from {low} to {high}. Write numbers with commas between them, or a range as 4-12:4.", "“{word}”不是 {low} 到 {high} 之间的{noun}。请用逗号分隔各个数字，或写成范围，如 4-12:4。"],
  ["a red circle (one prompt a line)", "一个红色的圆（每行一个提示词）"],
  ["whole number", "整数"],
  ["number", "数"],
  ["the step of '{word}' is {step}. Write a range as 4-12:4, which is 4, 8, 12.", "“{word}”的间隔是 {step}。范围请写成 4-12:4，即 4, 8, 12。"],
  ["'{word}' are {count} values, and the most is {most}. Write a larger step.", "“{word}”有 {count} 个值，最多 {most} 个。请把间隔写大一些。"],
  ["there is no '{name}'. The nearest names are {near}; write one of them.", "没有“{name}”。最接近的名称是 {near}，请写其中之一。"],
  ["{one} axis and {other} axis are both {name}. Choose another one for {letter}, or none.", "{one} 轴和 {other} 轴都是 {name}。请为 {letter} 轴另选一项，或选 none。"],
  ["This grid would have {count} pictures, and the most is {most}. Write fewer values.", "这张对比图会有 {count} 张图片，最多 {most} 张。请少写几个值。"],
  ["{letter} axis is LoRA strength, but no LoRA is chosen. Choose a file of models/loras in LoRA, an advanced input.", "{letter} 轴是 LoRA strength，但没有选择 LoRA。请在高级输入“LoRA”中选择 models/loras 里的文件。"],
  ["The pictures of this grid have different sizes ({sizes}), so they make no sheet. Compare models that draw pictures of one size.", "这张对比图里的图片尺寸不同（{sizes}），无法拼成一张。请比较出图尺寸相同的模型。"],
  // tiles
  ["A step at {width}x{height} needs {needed} GB and this machine has {free} GB for it.", "{width}x{height} 的一步需要 {needed} GB，而这台机器只有 {free} GB 可用。"],
  ["{found} Choose automatic or tiles, which need {tiles} GB.", "{found}请选 automatic 或 tiles，只需 {tiles} GB。"],
  ["{found} Even tiles need {tiles} GB: close other programs, or use a GPU with more memory.", "{found}即使分块也需要 {tiles} GB：请关闭其他程序，或换更大的显卡。"],
  ["The overlap is {overlap} pixels, but a tile has only {tile}: make the overlap smaller than the tile, best a quarter of it.", "重叠为 {overlap} 像素，而块只有 {tile} 像素：请让重叠小于分块尺寸，最好是它的四分之一。"],
  ["Tiles are made for Z-Image models, but the model here is {kind}. Connect a Z-Image model from any loader.", "分块是为 Z-Image 模型准备的，而这里的模型是 {kind}。请接入任意加载器载入的 Z-Image 模型。"],
  ["A ControlNet of a stock node cannot be cut into tiles: its hints would be those of the whole picture, squeezed. Use Z-Image Load ControlNet and Z-Image Apply ControlNet in its place.", "官方节点的 ControlNet 无法按块裁切：它的控制会是整张图压缩后的样子。请改用“Z-Image 加载 ControlNet”和“Z-Image 应用 ControlNet”。"],
  // regions
  ["The mask is black, so this region is left out. Paint white where its prompt is to be heard.", "遮罩是黑的，所以不用这个区域。请在提示词要起作用的地方涂白。"],
  ["Of {count} masks the first is used.", "收到 {count} 个遮罩，使用第一个。"],
  ["No box has arrived here, so this region is left out. Draw one in the node before.", "这里没有收到框，所以不用这个区域。请在前面的节点里画一个。"],
  ["This region reaches out of the picture; what lies inside is used.", "这个区域伸出了画面，只用画面以内的部分。"],
  ["Regions were left out: this MODEL runs ComfyUI's own code, which knows none. Put Z-Image Attach behind its loader.", "没有使用分区：这个模型运行的是 ComfyUI 自己的代码，它不认识分区。请在它的加载器后面接上“Z-Image 接管”。"],
  ["This region is {width} wide and {height} high, so it covers nothing. Give it a width and a height above 0.", "这个区域宽 {width}、高 {height}，什么也没覆盖。请让宽度和高度都大于 0。"],
  ["This region begins at {x}, {y} and lies outside the picture, whose sides go from 0 to 1. Move it into the picture.", "这个区域从 {x}、{y} 开始，在画面之外；画面的边从 0 到 1。请把它移进画面。"],
  ["This region's box lies outside the picture of {size} pixels. Move it into the picture.", "这个区域的框在 {size} 像素的图像之外。请把它移到图像里。"],
  ["{what} would start at {start} of the run and end at {end}, which is before it. Set start percent to at most end percent.", "{what}会在进度 {start} 开始、{end} 结束，结束在开始之前。请让开始百分比不大于结束百分比。"],
  ["The noise", "噪声"],
  ["The style", "风格"],
  ["This region", "这个区域"],
  ["There are {count} reference pictures; connect 1 to {most}, since each makes every step slower.", "有 {count} 张参考图；请连接 1 到 {most} 张，因为每一张都会让每一步变慢。"],
  ["The region's prompt is all zeros, as Conditioning Zero Out makes it, so this region is left out. Connect an encoded prompt.", "区域提示词全为零，是“条件零化”的结果，所以不用这个区域。请接入编码后的提示词。"],
  ["The mask is used, so box number {number} is not.", "使用的是遮罩，所以不用第 {number} 个框。"],
  ["No boxes are connected, so box number {number} does nothing and the four numbers are used.", "没有接入边界框，所以框编号 {number} 不起作用，使用那四个数。"],
  ["The region's prompt consists of {count} conditionings, but a region has one. Encode it with one node, without Conditioning (Combine).", "区域提示词由 {count} 个条件组成，而一个区域只有一个。请用一个节点编码，不要用“条件（合并）”。"],
  ["A region's prompt cannot bring reference pictures. Encode it with Z-Image Text Encode.", "区域提示词不能带参考图。请用“Z-Image 文本编码”来编码。"],
  ["The whole prompt's features are {whole} wide and the region's {region}. Encode both with the same text encoder.", "整幅画提示词的特征宽 {whole}，区域提示词的宽 {region}。请用同一个文本编码器编码。"],
  ["There is no box {number}: {count} arrived here. Choose another box number.", "没有第 {number} 个框：这里只收到 {count} 个。请换一个框编号。"],
  ["A box has x, y, width and height, or a bbox of four numbers, but {found} arrived here. Connect the boxes or the elements of Create Bounding Boxes.", "框应有 x、y、width 和 height，或由四个数组成的 bbox，但这里收到的是 {found}。请接入“创建边界框”的边界框或元素。"],
  ["Z-Image Region and reference pictures cannot steer one picture together. Take Z-Image Region out of the graph, or the reference pictures.", "“Z-Image 分区提示词”和参考图不能同时用于一幅画。请从工作流中去掉其中之一。"],
  // parts of a picture
  ["The mask is in {count} separate pieces, and each would be painted by itself; at most {most} are. Blur or grow the mask so that pieces join, or paint over fewer places.", "遮罩由 {count} 个互不相连的部分组成，而每个部分都会单独重画，最多 {most} 个。请模糊或扩大遮罩让它们连起来，或少涂几处。"],
  ["Box {number} (left {left}, top {top}, width {width}, height {height}) has no pixel inside the picture of {wide}x{tall}. Give boxes in pixels of this very picture.", "边界框 {number}（左 {left}，上 {top}，宽 {width}，高 {height}）没有一个像素在 {wide}x{tall} 的图像之内。边界框要按这张图像的像素计。"],
  ["The boxes connected here are {kind}, not ComfyUI's bounding boxes. Connect the output of a detector, or a mask instead.", "这里接入的是 {kind}，不是 ComfyUI 的边界框。请接入检测器的输出，或改接遮罩。"],
  ["A box connected here is {box}; a box has x, y, width and height in pixels. Connect the bounding boxes of a detector, or a mask instead.", "这里接入的边界框是 {box}；边界框应有 x、y、width 和 height，单位为像素。请接入检测器的边界框，或改接遮罩。"],
  ["One part of the picture was painted {first} times and another {second} times: give the sampler the same number for all of them.", "图像的一个部分画了 {first} 次，另一个部分画了 {second} 次：请让采样器对所有部分画相同的次数。"],
  // numbers
  ["{name} is {value}, not a finite number. Set one, or fix the node it comes from.", "{name} 是 {value}，不是有限的数。请改成正常的数，或修好提供它的节点。"],
  ["{what} came out as NaN and would be black: {why}", "{what}算出了 NaN，会是全黑的：{why}"],
  ["{what} holds values that are no numbers (NaN) and would draw black: {why}", "{what}含有不是数的值（NaN），画出来会是全黑的：{why}"],
  ["The picture", "图像"],
  ["Every picture", "每张图像"],
  ["the model's numbers overflowed. Set precision to automatic or bfloat16 in Z-Image Load Model, take Sage attention off, or try without LoRAs.", "模型的数值溢出了。请在“Z-Image 加载模型”中把精度设为 automatic 或 bfloat16，关掉 Sage 注意力，或去掉 LoRA 再试。"],
  ["the autoencoder's numbers overflowed. Start ComfyUI with --bf16-vae or --fp32-vae.", "自编码器的数值溢出了。请用 --bf16-vae 或 --fp32-vae 启动 ComfyUI。"],
  // weighted words
  ["The weight of '{words}' is {weight}, and weights go from {low} to {high}. Write a smaller number; brackets inside brackets multiply.", "“{words}”的权重是 {weight}，而权重只能从 {low} 到 {high}。请写小一些；嵌套的括号会相乘。"],
  ["The negative prompt is all zeros, as Conditioning Zero Out makes it: it names nothing to draw away from, so Z-Image NAG is off. Connect an encoded prompt.", "负面提示词全为零，是“条件零化”的结果：它没有说明要远离什么，所以 Z-Image NAG 关闭。请接入编码后的提示词。"],
  ["Off: no picture is looked at, and nothing is needed.", "已关闭：不看任何图片，也不占用资源。"],
  // diversity
  ["This conditioning does not tell which words it holds, so none of them can be kept from the noise. Encode the prompt with Z-Image Text Encode, or clear the protected words.", "这个条件不含词语信息，无法保护其中的词。请用“Z-Image 文本编码”编码提示词，或清空保护的词。"],
  ["Protected words that do not stand in the prompt: {names}.", "提示词里没有这些要保护的词：{names}。"],
  // what Z-Image Doctor and the samplers find
  ["Z-Image Doctor is made for Z-Image models, but the model here is {name}. Connect a Z-Image model.", "“Z-Image 医生”只用于 Z-Image 模型，而这里的模型是 {name}。请连接 Z-Image 模型。"],
  ["Step {step} of {count} came out as NaN {where}", "{count} 步中的第 {step} 步算出了 NaN，位置是{where}"],
  ["Repeated safely, of {count} steps: {steps}. The first came out as NaN {where}", "{count} 步中有这些步已用稳妥方式重算：{steps}。第一个算出 NaN 的位置是{where}"],
  ["in {layer} ({part}): {why}", " {layer}（{part}）：{why}"],
  ["outside the model: {why}", "模型之外：{why}"],
  ["linear layer", "线性层"],
  ["norm", "归一化"],
  ["attention", "注意力"],
  ["feed-forward product", "前馈层的乘积"],
  ["the latent was broken before the model ran. Look at the sampler or the node that the latent comes from.", "模型运行之前 latent 就已经损坏。请检查采样器，或提供这个 latent 的节点。"],
  ["the prompt's conditioning is broken. Start ComfyUI without --fp16-text-enc, or load another file of the text encoder.", "提示词的条件已经损坏。请不要用 --fp16-text-enc 启动 ComfyUI，或换一个文本编码器文件。"],
  ["LoRAs make the weights of this layer infinite. Take them off one by one, or lower their strength in Z-Image LoRA List.", "LoRA 让这一层的权重变成了无穷大。请逐个去掉，或在“Z-Image LoRA 列表”里降低强度。"],
  ["the weights of this layer are no numbers. The model's file is damaged: download it again.", "这一层的权重不是数。模型文件已损坏：请重新下载。"],
  ["run again as it was, the step is right. Take step caches, CUDA graphs and compiling off, one after the other.", "原样重算一次，这一步就正常了。请依次关掉步缓存、CUDA 图和编译。"],
  ["the attention here ({name}) gives NaN, and plain attention does not. Set attention to ComfyUI's in Z-Image Optimize, or start ComfyUI without --use-sage-attention.", "这里的注意力（{name}）算出 NaN，而普通注意力不会。请在“Z-Image 优化”中把注意力设为 ComfyUI's，或不要用 --use-sage-attention 启动 ComfyUI。"],
  ["the model's numbers are right, and what follows it (guidance at CFG {scale}, or a node that changes the prediction) spoils them. Lower CFG to 3 to 5 for base, 1 for Turbo, and take such nodes off.", "模型算出的数正常，是它之后的环节（CFG {scale} 的引导，或某个修改预测的节点）弄坏了。请把 CFG 降到 base 的 3 到 5、Turbo 的 1，并去掉那样的节点。"],
  ["its numbers reach {largest}, and {format} holds no more than {most}. Set precision to bfloat16 or float32 in Z-Image Load Model, or start ComfyUI with --bf16-unet.", "这里的数达到 {largest}，而 {format} 最多只能表示 {most}。请在“Z-Image 加载模型”中把精度设为 bfloat16 或 float32，或用 --bf16-unet 启动 ComfyUI。"],
  ["not even float32 with plain attention gives numbers. Take off LoRAs, ControlNets and other model patches one by one; if none is there, the model's file is damaged.", "即使用 float32 和普通注意力也算不出数。请逐个去掉 LoRA、ControlNet 和其他模型补丁；如果都没有，就是模型文件已损坏。"],
  ["In {layer} ({part}) numbers passed what float16 holds (65504) and were clamped, in {count} steps: the picture is not the model's. Set precision to bfloat16 or float32 in Z-Image Load Model, or start ComfyUI with --bf16-unet.", "{layer}（{part}）的数超出了 float16 的上限（65504），被截断，共 {count} 步：画面已不是模型本来的样子。请在“Z-Image 加载模型”中把精度设为 bfloat16 或 float32，或用 --bf16-unet 启动 ComfyUI。"],
  ["The result is one colour all over: {why}", "结果整张只有一种颜色：{why}"],
  ["The result is burnt, its latent is too strong {about}: {why}", "结果过火，latent 太强{about}：{why}"],
  ["The result is pale, its latent is too weak {about}: {why}", "结果发灰，latent 太弱{about}：{why}"],
  ["({found}, where pictures have about 1)", "（{found}，正常图像约为 1）"],
  ["LoRAs change the weights by {count} %, far more than any training. Lower their strength in Z-Image LoRA List.", "LoRA 对权重的改动达到 {count} %，远超任何训练。请在“Z-Image LoRA 列表”里降低强度。"],
  ["CFG {scale} is too high. Set 3 to 5 for base, 1 for Turbo.", "CFG {scale} 太高。base 请设 3 到 5，Turbo 请设 1。"],
  ["the attention here ({name}) may not be exact enough. Set attention to ComfyUI's in Z-Image Optimize, or start ComfyUI without --use-sage-attention.", "这里的注意力（{name}）可能不够精确。请在“Z-Image 优化”中把注意力设为 ComfyUI's，或不要用 --use-sage-attention 启动 ComfyUI。"],
  ["take off LoRAs, ControlNets and other model patches one by one, and see that the model's file is whole.", "请逐个去掉 LoRA、ControlNet 和其他模型补丁，并检查模型文件是否完整。"],
  ["The latent to start from is of another strength than a picture's ({found}, where pictures have about 1), as another model's autoencoder makes it. Encode the picture with Z-Image's (ae.safetensors).", "起始 latent 的强度与图像不符（{found}，正常约为 1），像是别的模型的自编码器生成的。请用 Z-Image 的自编码器（ae.safetensors）编码图像。"],
  ["A shift of about {shift} leaves most steps at one end of the noise. Set 3 for Turbo, 6 for base.", "移位约为 {shift}，大部分步都挤在噪声的一端。Turbo 请设 3，base 请设 6。"],
  ["This is Turbo, which is made for 8 steps at CFG 1, and it ran {steps} steps at CFG {scale}.", "这是 Turbo，适合 8 步、CFG 1，而这次用了 {steps} 步、CFG {scale}。"],
  ["This is base, which is made for 28 to 50 steps at CFG 3 to 5, and it ran {steps} steps at CFG {scale}.", "这是 base，适合 28 到 50 步、CFG 3 到 5，而这次用了 {steps} 步、CFG {scale}。"],
  ["This latent has a mask, and a masked run cannot be shared by two samplers: what lies outside the mask would be handed over as noise. Draw it with one sampler, with add noise on and return with leftover noise off.", "这个 latent 带有遮罩，而带遮罩的采样不能由两个采样器分段完成：遮罩以外的部分会以噪声的形式交给下一个采样器。请只用一个采样器，打开“添加噪波”，关闭“返回剩余噪波”。"],
];

const PLACEHOLDER = /\{(\w+)\}/g;

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
  return language === "zh" ? translated(sentence) : sentence;
}

/**
 * A text without the folders of absolute paths.
 * @param {string} text
 */
export function withoutFolders(text) {
  return text
    .replace(/(["'])(?:[A-Za-z]:)?[\\/](?:(?!\1).)*[\\/]((?:(?!\1).)*)\1/g, "$1$2$1")
    .replace(/(?<![\w:.\/\\])(?:[A-Za-z]:)?[\\/](?:[^\s\\/:;"',]+[\\/])+(?=[^\s\\/])/g, "");
}

/**
 * Whether this pack's code raised an exception, by the innermost line of its traceback.
 * @param {string[] | undefined} traceback
 * @param {string} folder of the pack in custom_nodes
 */
export function isRaisedIn(traceback, folder) {
  const last = (traceback ?? []).at(-1)?.replaceAll("\\", "/") ?? "";
  return last.includes(`/${folder}/nodes/`) || last.includes(`/${folder}/zimage_core/`);
}

/** @param {string} text @param {number} [depth] @returns {string} */
function translated(text, depth = 0) {
  if (depth >= MAX_DEPTH) return text;
  for (const [english, chinese] of SENTENCES) {
    const values = match(english, text);
    if (values) return chinese.replace(PLACEHOLDER, (_, name) => translated(values[name], depth + 1));
  }
  return text;
}

/**
 * The texts that stand for a template's placeholders, or null if it does not match.
 * @param {string} template
 * @param {string} text
 * @returns {Record<string, string> | null}
 */
function match(template, text) {
  const literal = template.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const found = new RegExp(`^${literal.replace(PLACEHOLDER, "(?<$1>.+?)")}$`, "s").exec(text);
  return found && (found.groups ?? {});
}
