"""The workflows this pack ships, as prompts that a test can afford."""

from typing import Any

import pytest

from paths import REPOSITORY
from prompt_graphs import node
from tools.workflows import Prompt

WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
FEWER: dict[str, dict[str, Any]] = {  # the same with less to draw
    "ZImageTrainLora": {"training_steps": 2},
    "ZImageTrain": {"training_steps": 2},
    "ZImageDistill": {"prompts": "a red heart", "training_steps": 1, "batch_size": 1, "rank": 2, "checked": 0},
    "ZImagePrefer": {"prompts": "a star", "training_steps": 1, "batch_size": 1, "rank": 2, "checked": 0},
    "ZImageCompareModels": {"prompts": "a large red heart in the middle on white", "seeds": 1},
    "ZImageEvaluate": {"limit": 2},
    "ZImageGrid": {"x_values": "2, 4"},
    "ZImagePickBest": {"tries": 2},
    "ZImageMergeSearch": {"budget": 3, "steps": 2},
    "ZImageCurate": {"most_concepts": 2, "per_concept": 1, "steps": 2},
    "ZImageLoraTest": {"prompts": "a lighthouse at dusk", "strengths": "0.5, 1"},
}
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)

STOCK_LOADERS = {  # they accept the released widths only, which are too large for a test
    "UNETLoader": lambda old: node("ZImageModelLoader", model_name=old["unet_name"], precision="automatic"),
    "CLIPLoader": lambda old: node("ZImageTextEncoderLoader", text_encoder_name=old["clip_name"]),
    "VAELoader": lambda old: node("ZImageVAELoader", vae_name=old["vae_name"]),
}


def affordable(prompt: Prompt, max_steps: int | None = None) -> Prompt:
    """The shipped settings at a small size, as a full megapixel takes minutes on two cores; fewer steps on request."""
    changed = {}
    for name, each in prompt.items():
        kind, inputs = each["class_type"], dict(each["inputs"])
        if "megapixels" in inputs:
            inputs["megapixels"] = min(inputs["megapixels"], 0.06)
        if kind == "EmptySD3LatentImage" and isinstance(inputs["width"], int):
            inputs |= {"width": 64, "height": 64}
        if kind in FEWER:
            inputs |= FEWER[kind]
        if kind == "ZImageLargePicture":
            inputs |= {side: min(inputs[side], 128) for side in ("width", "height")}
        if max_steps is not None and "steps" in inputs:
            inputs["steps"] = min(inputs["steps"], max_steps)
        changed[name] = STOCK_LOADERS[kind](inputs) if kind in STOCK_LOADERS else node(kind, **inputs)
    return changed
