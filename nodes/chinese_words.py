"""Chinese words by which the page's node search finds each node, and words on sheets of pictures."""

IN_CHINESE: dict[str, tuple[str, ...]] = {
    "ZImageAttach": ("接管",),
    "ZImageModelLoader": (
        "造相",
        "通义",
        "文生图",
        "加载模型",
    ),
    "ZImageTextEncoderLoader": (
        "文本编码器",
        "加载文本编码器",
    ),
    "ZImageVAELoader": (
        "加载VAE",
        "自编码器",
    ),
    "ZImageVisionLoader": (
        "视觉编码器",
        "参考图",
    ),
    "ZImageTextEncode": (
        "提示词",
        "正向",
        "负向",
    ),
    "ZImageRegion": (
        "分区提示词",
        "区域提示词",
        "局部提示词",
        "蒙版",
    ),
    "ZImageWeightedEncode": ("提示词权重", "权重", "加权", "强调", "负权重"),
    "ZImagePrompt": (
        "提示词",
        "通配符",
        "随机提示词",
        "风格",
    ),
    "ZImageEnhancePrompt": ("提示词增强", "提示词扩写", "润色", "改写提示词", "推理", "大语言模型"),
    "ZImageCaption": ("图片描述", "打标", "反推", "图生文", "标签", "图像描述", "看图说话"),
    "ZImageCaptionFolder": ("批量打标", "数据集打标", "文件夹描述", "标注", "图片描述", "差异描述"),
    "ZImageEditEncode": (
        "图像编辑",
        "指令编辑",
        "参考图",
    ),
    "ZImageEmptyLatent": (
        "文生图",
        "尺寸",
        "分辨率",
        "宽高比",
    ),
    "ZImageTurboSampler": (
        "造相",
        "采样器",
        "文生图",
    ),
    "ZImageSampler": (
        "造相",
        "采样器",
        "文生图",
    ),
    "ZImageSigmas": (
        "调度器",
        "移位",
    ),
    "ZImageDiversity": (
        "多样性",
        "构图变化",
        "种子差异",
    ),
    "ZImageDoctor": (
        "黑图",
        "过曝",
        "诊断",
        "检查",
    ),
    "ZImageScore": (
        "评分",
        "打分",
        "文字识别",
        "画质",
    ),
    "ZImageEvaluate": (
        "评测",
        "基准测试",
        "跑分",
        "评估",
    ),
    "ZImageDataset": ("数据集", "训练集", "训练数据"),
    "ZImageEditDataset": ("修图数据集", "成对图片", "编辑数据集", "图片对"),
    "ZImageTrain": ("训练", "微调", "配方", "全量训练"),
    "ZImageTrainLora": ("训练", "炼丹", "训练LoRA", "微调"),
    "ZImagePickBest": (
        "择优",
        "重抽",
        "抽卡",
        "最佳",
    ),
    "ZImageArena": (
        "竞技场",
        "对比",
        "盲测",
        "投票",
        "偏好",
    ),
    "ZImagePickBestTry": ("择优",),
    "ZImageCompareModels": (
        "对比模型",
        "对比参数",
        "显著性",
        "盲测",
    ),
    "ZImageCompareModelsSheet": ("对比模型",),
    "ZImageDrawnPicture": ("对比图片",),
    "ZImageLoraTest": (
        "LoRA强度",
        "LoRA测试",
        "LoRA权重",
        "过拟合",
    ),
    "ZImageLoraTestSheet": ("LoRA测试",),
    "ZImageDrawnSigmas": (
        "调度器",
        "手绘",
        "曲线",
    ),
    "ZImageVAEEncode": (
        "图生图",
        "编码",
    ),
    "ZImageVAEDecode": ("解码",),
    "ZImageSaveImage": (
        "保存图像",
        "保存图片",
        "生成参数",
    ),
    "ZImageImageToImage": (
        "图生图",
        "重绘",
        "放大",
        "高清修复",
    ),
    "ZImageInpaint": (
        "局部重绘",
        "蒙版",
        "去除物体",
    ),
    "ZImageOutpaint": (
        "扩图",
        "外扩",
    ),
    "ZImageLargePicture": (
        "大图",
        "高分辨率",
        "高清修复",
    ),
    "ZImageTiledRefine": (
        "分块放大",
        "高清放大",
        "大图",
    ),
    "ZImageDetail": (
        "面部修复",
        "细节修复",
        "手部修复",
        "边界框",
    ),
    "ZImageStitch": (
        "拼接",
        "贴回",
    ),
    "ZImageControlNetLoader": (
        "控制网",
        "加载ControlNet",
    ),
    "ZImageControl": (
        "控制网",
        "姿态",
        "深度",
        "线稿",
    ),
    "ZImageLoraLoader": (
        "加载LoRA",
        "微调",
    ),
    "ZImageMerge": ("模型融合", "模型合并", "分层融合", "融合模型"),
    "ZImageMergeSearch": ("自动融合", "模型融合", "分层权重", "按评分融合"),
    "ZImageLoraList": (
        "LoRA列表",
        "多个LoRA",
        "触发词",
    ),
    "ZImageConvertLora": (
        "转换LoRA",
        "保存LoRA",
    ),
    "ZImageGrid": (
        "对比图",
        "XYZ图表",
        "参数对比",
        "网格图",
    ),
    "ZImageGridSheet": ("对比图拼版",),
    "ZImageInspectFile": (
        "文件信息",
        "元数据",
    ),
    "ZImageOptimize": (
        "加速",
        "优化",
        "显存",
        "量化",
    ),
    "ZImageNAG": ("负面提示词", "负向提示词", "归一化注意力引导", "注意力引导", "不要的内容"),
    "ZImageStyleReference": (
        "风格参考",
        "风格迁移",
        "参考图",
    ),
    "ZImageStepCache": (
        "加速",
        "缓存",
        "跳步",
    ),
}

AXES_IN_CHINESE: dict[str, str] = {  # as the page names the widgets that they vary
    "steps": "步数",
    "shift": "移位",
    "seed": "种子",
    "img2img strength": "重绘强度",
    "LoRA strength": "LoRA 强度",
}
DRAWN_IN_CHINESE: dict[str, str] = {  # on the sheets of comparisons, LoRA tests and evaluations
    "seed": "种子",
    "model B": "模型 B",
    "strength": "强度",
    "take": "建议",
    "burning": "烧图程度",
    "burn limit": "烧图上限",
    "change (% of the range)": "变化（占取值范围的 %）",
    "likeness to the references": "与参考图的相似度",
    "No prompt is worse than another": "没有哪条提示词比别的差",
}
