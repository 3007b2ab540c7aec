"""The network that a LoRA is trained on: the file behind a MODEL, loaded by the core, as nothing of it may change."""

from pathlib import Path
from typing import Any

import torch
from comfy import model_management

from .....zimage_core.adapters import inject
from .....zimage_core.checkpoints import load_dit, read_lora
from .....zimage_core.model import S3DiT
from ...loading import files
from ...loading.model import source_of


def base_file(model: Any) -> Path:
    """The file of a MODEL. Raises ValueError where it has none, or where LoRAs are in it already."""
    if model.patches:
        raise ValueError(
            "This MODEL carries LoRAs, and a LoRA is trained on the plain model. Connect the loader itself; a "
            "de-distillation LoRA is chosen in training_adapter."
        )
    source = source_of(model)
    if source is None:
        raise ValueError(
            "This MODEL's file is not known, so it cannot be trained on. Connect Z-Image Load Model or the stock Load "
            "Diffusion Model."
        )
    return Path(source)


def refuse_turbo(file: Path, adapter: str, *, is_accepted: bool) -> None:
    """Training moves a distilled model away from its few steps; that has to be wanted."""
    if "turbo" in file.name.lower() and adapter == files.NO_LORA and not is_accepted:
        raise ValueError(
            f"{file.name} is a Turbo model: what is trained on it directly loses its 8 steps. Train on the base model, "
            "choose a de-distillation LoRA in training_adapter, or switch accept_losing_8_steps on."
        )


def load_base(file: Path, adapter: str) -> S3DiT:
    """The frozen network on ComfyUI's device, alone there; with the training adapter in it, if one is chosen."""
    model_management.unload_all_models()
    model_management.soft_empty_cache()
    device = model_management.get_torch_device()
    dtype = torch.float32 if model_management.is_device_cpu(device) else torch.bfloat16
    dit = load_dit(file, dtype).to(device)
    if adapter != files.NO_LORA:
        inject(dit, [(read_lora(files.lora_path(adapter)), 1.0)], device)
    return dit
