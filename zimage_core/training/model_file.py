"""The file of a trained transformer: ComfyUI's layout, bfloat16, what it is; and read again before it counts."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ..atomic_file import save_tensors
from ..checkpoints import load_dit
from ..model import S3DiT
from .distributed import ONE_PROCESS, Processes


def write_model(dit: S3DiT, file: Path, metadata: Mapping[str, str], processes: Processes = ONE_PROCESS) -> None:
    """Write a transformer and read it back: the first of several processes does, when all are here.

    Raises ValueError if what is read is not what was written.
    """
    tensors = dit.state_dict().items()
    state = {name: processes.whole(tensor.detach()).to("cpu", torch.bfloat16) for name, tensor in tensors}
    if not processes.is_first:
        return
    save_tensors(file, state, metadata)  # its names are ComfyUI's
    again = load_dit(file, torch.bfloat16).state_dict()
    for name, wanted in state.items():
        if name not in again or not torch.equal(again[name].cpu(), wanted):
            raise ValueError(f"{file} was written, but reads differently at {name}: the disk may be faulty")
