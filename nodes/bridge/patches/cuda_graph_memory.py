"""CUDA graphs and ComfyUI's memory manager: what a MODEL needs, and how its captures are counted.

Weights must stay at the addresses that were captured, so a MODEL whose weights ComfyUI moves during sampling (dynamic
VRAM) is loaded again without that. The captures' memory, which nothing else can use, is a model of its own in ComfyUI's
list: it is counted there, and freed when another model needs the memory.
"""

from typing import Any, NamedTuple

import comfy.model_patcher
import torch
from comfy import model_management
from comfy.patcher_extension import CallbacksMP

from ....zimage_core.model import S3DiT
from ....zimage_core.runtime.capture import SWITCHED_OFF, is_switched_off
from ....zimage_core.runtime.cuda_graphs import CapturedSteps
from ..network.attach import DIFFUSION_MODEL, check_is_zimage, config_of, remove_attachment
from ..network.cuda_graphs import CUDA_GRAPHS, ModelCaptures
from ..network.step_memory import step_memory

OFF = "off"
MEGAPIXEL = (1, 16, 128, 128)  # latents of one image of 1024x1024


class ModelMemory(NamedTuple):
    """Bytes that a MODEL needs, and that its device has."""

    weights: int
    step: float  # reserved for a step at 1024x1024, on top of the weights
    free: int  # includes the weights of this MODEL that are on the device already

    @property
    def resident_fraction(self) -> float:
        """How much of the weights can stay on the device, in [0, 1]."""
        return min(1.0, max(0.0, (self.free - self.step) / self.weights))


def model_memory(model: Any) -> ModelMemory:
    """What a MODEL needs and what its device has free."""
    network = model.get_model_object(DIFFUSION_MODEL)
    config = getattr(network, "config", None) or config_of(network)
    has_int8 = model.model.model_config.quant_config is not None
    step = step_memory(config, model.model.get_dtype_inference(), has_int8, MEGAPIXEL)
    free = model_management.get_free_memory(model.load_device) + int(model.loaded_size())
    return ModelMemory(model.model_size(), step.reserved, free)


def with_cuda_graphs(model: Any, choice: str, is_compiled: bool) -> tuple[Any, str]:
    """A clone that captures its steps, or the MODEL itself where none can be; and a line for the report."""
    if choice == OFF:
        earlier: ModelCaptures | None = model.model_options.get("transformer_options", {}).get(CUDA_GRAPHS)
        is_on = earlier is not None and earlier.model() is model.model
        return model, "CUDA graphs: left to the Z-Image Optimize before" if is_on else "CUDA graphs: off"
    network = model.get_model_object(DIFFUSION_MODEL)
    if not isinstance(network, S3DiT):
        check_is_zimage(network, type(model.model).__name__)
    reason = _refusal(model, is_compiled)
    if reason is not None:
        return model, f"CUDA graphs: refused, because {reason}"
    is_dynamic = model.is_dynamic()
    clone = (without_dynamic_vram(model) if is_dynamic else model).clone()
    captures = ModelCaptures(clone.model)
    clone.model_options.setdefault("transformer_options", {})[CUDA_GRAPHS] = captures
    for event, callback in (
        (CallbacksMP.ON_DETACH, captures.after_unloading),
        (CallbacksMP.ON_CLEANUP, captures.after_run),
    ):
        clone.remove_callbacks_with_key(event, CUDA_GRAPHS)
        clone.add_callback_with_key(event, CUDA_GRAPHS, callback)
    clone.set_additional_models(CUDA_GRAPHS, [GraphMemory(captures.steps, model.load_device, model.offload_device)])
    report = "CUDA graphs: on, for picture sizes that gain by them; the same pictures"
    return clone, f"{report}; the whole model stays on the GPU" if is_dynamic else report


def without_dynamic_vram(model: Any) -> Any:
    """The same MODEL, loaded again as one that ComfyUI moves as a whole and never during sampling."""
    clone = model.clone(disable_dynamic=True)
    remove_attachment(clone)
    clone.parent = None  # the MODEL it was cloned from has other layers
    return clone


class RecordedSteps(torch.nn.Module):
    """An empty module, whose class name ComfyUI prints in its log when it loads and unloads the captures' memory."""


class GraphMemory(comfy.model_patcher.ModelPatcher):
    """The memory of captured steps, as one of the models that ComfyUI loads, counts and unloads."""

    def __init__(self, steps: CapturedSteps, load_device: torch.device, offload_device: torch.device) -> None:
        super().__init__(RecordedSteps(), load_device, offload_device)
        self.model.device = load_device  # captures are never offloaded
        self.steps = steps

    def model_size(self) -> int:
        return self.steps.device_bytes

    def loaded_size(self) -> int:
        return self.steps.device_bytes

    def clone(self, *args: Any, **kwargs: Any) -> "GraphMemory":
        """Clones of a MODEL share their captures."""
        return self

    def deepclone_multigpu(self, *args: Any, **kwargs: Any) -> "GraphMemory":
        """Nothing is captured on other GPUs."""
        return self

    def partially_load(self, *args: Any, **kwargs: Any) -> int:
        """Nothing to load: memory is allocated by a capture."""
        return 0

    def partially_unload(self, *args: Any, **kwargs: Any) -> int:
        """Frees all captures, since one alone cannot be freed; the bytes that they took."""
        return self.steps.drop()

    def detach(self, unpatch_all: bool = True) -> Any:
        """Frees the captures; with `unpatch_all` false ComfyUI keeps the model loaded."""
        if unpatch_all:
            self.steps.drop()
        return self.model


def _refusal(model: Any, is_compiled: bool) -> str | None:
    """Why no step of a MODEL can be captured; None if steps can."""
    if not is_nvidia_gpu(model.load_device):
        return f"they need an NVIDIA GPU, and this model draws on {model.load_device.type}"
    if is_compiled:
        return "the layers are compiled; choose one of the two"
    if is_switched_off():
        return SWITCHED_OFF
    share = model_memory(model).resident_fraction
    if share < 1:
        return f"only about {share:.0%} of the weights can stay on the GPU, and CUDA graphs need them all there"
    if model.is_dynamic() and model.cached_patcher_init is None:
        return (
            "ComfyUI moves the weights while it draws and the loader does not tell their file; use Z-Image Load Model"
        )
    return None


def is_nvidia_gpu(device: torch.device) -> bool:
    """Whether a device has a choice of attention kernels, and CUDA graphs."""
    return model_management.is_nvidia() and device.type == "cuda"
