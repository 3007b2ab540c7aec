"""The file of a trained transformer: ComfyUI's layout, bfloat16, what it is; and read again before it counts."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from ..atomic_file import save_tensors
from ..checkpoints import load_dit
from ..model import S3DiT


def model_metadata(*, title: str, base: str, recipe: Mapping[str, object], data: str, example: str) -> dict[str, str]:
    """What a model's file says of itself, under ModelSpec's keys.

    `base` names the model it was trained from, `data` is a hash of the pictures and captions, `example` a prompt.
    """
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "z-image",
        "modelspec.title": title,
        "modelspec.usage_hint": example,
        "ss_base_model_version": base,
        "zimage.recipe": json.dumps(dict(recipe), sort_keys=True),
        "zimage.data": data,
    }


def write_model(dit: S3DiT, file: Path, metadata: Mapping[str, str]) -> None:
    """Write a transformer and read it back. Raises ValueError if what is read is not what was written."""
    state = {name: tensor.detach().to("cpu", torch.bfloat16) for name, tensor in dit.state_dict().items()}
    save_tensors(file, state, metadata)  # its names are ComfyUI's
    again = load_dit(file, torch.bfloat16).state_dict()
    for name, wanted in state.items():
        if name not in again or not torch.equal(again[name].cpu(), wanted):
            raise ValueError(f"{file} was written, but reads differently at {name}: the disk may be faulty")
