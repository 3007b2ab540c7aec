"""How the finished weights are written: bfloat16, and fp8 where that is as good."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..atomic_file import save_tensors

# What reads and writes words of pictures is as good in fp8 as in bfloat16 and takes half the space; what draws from
# words alone stays as it was trained.
FP8 = torch.float8_e4m3fn
VISION_BRANCH, EVERY_MATRIX = "siglip_", ""
LICENCE_NOTE = "Apache-2.0; trained from scratch on procedurally drawn pictures, see NOTICE"


def export(network: nn.Module, file: Path, in_fp8: str | None = None) -> None:
    """Write a network's weights; see `export_tensors`."""
    export_tensors(network.state_dict(), file, in_fp8)


def export_tensors(tensors: Mapping[str, Tensor], file: Path, in_fp8: str | None = None) -> None:
    """Write weights as bfloat16, but fp8 the matrices whose keys begin with `in_fp8`; an empty one is all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rounded = {
        key: tensor.detach()
        .to(FP8 if in_fp8 is not None and key.startswith(in_fp8) and tensor.ndim > 1 else torch.bfloat16)
        .contiguous()
        for key, tensor in tensors.items()
    }
    save_tensors(file, rounded, {"model": "Z-Image nano", "license": LICENCE_NOTE})
