"""Prompt graphs with what changes a picture: each such node with settings that act and with some that do not."""

from typing import Any

from PIL import Image

from prompt_graphs import encode, node, text_to_image

RANGE = {"start_percent": 0.0, "end_percent": 1.0}
ON_MODEL = {  # node, settings that act, settings that change nothing
    "nag": ("ZImageNAG", {"negative": ["avoid", 0], "tau": 2.5, "alpha": 0.25, "scale": 3.0, **RANGE}, {"scale": 1.0}),
    "style": (
        "ZImageStyleReference",
        {"vae": ["vae", 0], "image": ["reference", 0], "strength": 1.0, **RANGE},
        {"strength": 0.0},
    ),
    "tiles": ("ZImageTiledRefine", {"tile_size": 64, "overlap": 16}, {"tile_size": 2048}),
    "cache": ("ZImageStepCache", {"threshold": 0.2, "max_skips": 3, **RANGE}, {"threshold": 0.0}),
    "doctor": ("ZImageDoctor", {"broken_step": "repeat it safely"}, {}),
}
ON_PROMPT = {
    "region": (
        "ZImageRegion",
        {
            "region_prompt": ["other", 0],
            **{"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0},
            **{"strength": 1.0, "outside": 0.0, "global_weight": 0.3, "box_number": 0, **RANGE},
        },
        {"strength": 0.0},
    ),
    "diversity": (
        "ZImageDiversity",
        {"strength": 0.5, "share": 0.5, "seed": 3, "protect": "", "protect_quoted": True, **RANGE},
        {"strength": 0.0},
    ),
}
FEATURES = (*ON_MODEL, *ON_PROMPT)
LARGE = {  # beside FEATURES, since it draws twice
    "large": (
        "ZImageLargePicture",
        {"vae": ["vae", 0], "width": 128, "height": 128, "method": "tiles", "detail": 0.25},
        {"detail": 0.0},
    ),
}
CONTROL, LORA = "nano_control.safetensors", "nano_lora.safetensors"
FROM_FILES = {  # for files that a test writes
    "lora": ("LoraLoaderModelOnly", {"lora_name": LORA, "strength_model": 1.0}, {"strength_model": 0.0}),
    "control": (
        "ZImageControl",
        {
            **{"control_net": ["control file", 0], "vae": ["vae", 0], "image": ["reference", 0], "strength": 0.8},
            **{"computation": "author", **RANGE},
        },
        {"strength": 0.0},
    ),
}


def graph(features, *, is_neutral=False, sampler=None) -> dict[str, Any]:
    """Nano's 96x96 picture with the features one behind the other."""
    prompt = text_to_image()
    prompt["latent"] = node("EmptyLatentImage", width=96, height=96, batch_size=1)  # two by two tiles
    prompt |= {"avoid": encode("a blue star"), "other": encode("a large green heart"), "negative": encode("")}
    prompt["reference"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0x2A8050)
    if "control" in features:
        prompt["control file"] = node("ZImageControlNetLoader", control_net_name=CONTROL)
    on_model = {**ON_MODEL, **LARGE, **FROM_FILES}
    ends = {"model": ("model", on_model), "conditioning": ("positive", ON_PROMPT)}
    if sampler is not None:
        prompt["sampler"] = sampler
    for name in features:
        socket = "model" if name in on_model else "conditioning"
        end, table = ends[socket]
        kind, acting, neutral = table[name]
        prompt[name] = node(kind, **{socket: [end, 0], **acting, **(neutral if is_neutral else {})})
        ends[socket] = name, table
    receiver = "sampler" if "positive" in prompt["sampler"]["inputs"] else "guider"
    if receiver == "guider":
        prompt["guider"] = node("BasicGuider", model=[ends["model"][0], 0], conditioning=[ends["conditioning"][0], 0])
    else:
        prompt["sampler"]["inputs"] |= {"model": [ends["model"][0], 0], "positive": [ends["conditioning"][0], 0]}
    return prompt


def is_drawn(image: Image.Image) -> bool:
    """Neither black nor of one colour: a red shape on white differs in green and blue only."""
    return sum(high - low > 60 for low, high in image.getextrema()) >= 2
