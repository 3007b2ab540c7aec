"""The network that is trained: the file behind a MODEL, loaded by the core, as nothing of the MODEL may change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from comfy import model_management
from comfy.patcher_extension import WrappersMP

from .....zimage_core.checkpoints import DIT
from .....zimage_core.nano.files import file_of
from .....zimage_core.recipes import LoraConfig, Stage
from .....zimage_core.sampling import BASE, NANO, TURBO, Preset
from .....zimage_core.training.turbo import is_turbo
from ...loading.model import load_model, source_of
from ...patches import lora_windows


def base_file(model: Any) -> Path:
    """The file of a MODEL. Raises ValueError where it has none, or where LoRAs are in it already."""
    if carries_loras(model):
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


def carries_loras(model: Any) -> bool:
    """Whether LoRAs are on a MODEL: as weight patches, beside layers (quantised ones, bypass mode), or by steps."""
    has_windows = bool(model.get_wrappers(WrappersMP.OUTER_SAMPLE, lora_windows.KEY))
    return bool(model.patches) or any(model.injections.values()) or has_windows


def preset_of(file: Path) -> Preset:
    """The released settings of the variant in a file."""
    if file == Path(file_of(DIT)):
        return NANO
    return TURBO if is_turbo(file) else BASE


def as_loaded(model: Any, stage: Stage) -> Stage:
    """The stage on a frozen base in int8 where the MODEL was loaded so; what a recipe says of it wins."""
    if not (isinstance(stage.config, LoraConfig) and stage.config.quantize is None and _is_int8(model)):
        return stage
    return replace(stage, config=replace(stage.config, quantize="int8"))


def _is_int8(model: Any) -> bool:
    load, (_, *choices), *_ = model.cached_patcher_init
    return load is load_model and bool(choices[1:] and choices[1])


def free_device() -> tuple[torch.device, torch.dtype]:
    """ComfyUI's device, with nothing on it any more, and what a frozen base computes in there."""
    model_management.unload_all_models()
    model_management.soft_empty_cache()
    device = model_management.get_torch_device()
    return device, torch.float32 if model_management.is_device_cpu(device) else torch.bfloat16
