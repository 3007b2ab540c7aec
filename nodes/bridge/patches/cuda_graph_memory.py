"""What a MODEL of recorded steps asks of ComfyUI's memory manager.

Weights must stay where they were recorded, so a MODEL whose weights ComfyUI moves while it draws is loaded again as one
that is moved as a whole. And the memory that only recordings can use is a model of its own in ComfyUI's list: counted,
and given up first when another model needs it.
"""

from typing import Any, NamedTuple

import comfy.model_patcher
import torch
from comfy import model_management
from comfy.patcher_extension import CallbacksMP

from ....zimage_core.model import S3DiT
from ..network.attach import DIFFUSION_MODEL, check, config_of, remove_attachment
from ..network.cuda_graphs import RECORDING, Recording
from ..network.step_memory import step_memory

OFF = "off"
MEGAPIXEL = (1, 16, 128, 128)  # latents of one image of 1024x1024


class ModelMemory(NamedTuple):
    """Bytes that a MODEL needs, and that its device has."""

    weights: int
    step: float  # reserved for a step at 1024x1024, on top of the weights
    free: int  # includes the weights of this MODEL that are on the device already

    @property
    def resident_share(self) -> float:
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


def with_graph(model: Any, choice: str, is_compiled: bool) -> tuple[Any, str]:
    """A clone that records its steps, or why none does."""
    if choice == OFF:
        former: Recording | None = model.model_options.get("transformer_options", {}).get(RECORDING)
        is_on = former is not None and former.model() is model.model
        return model, "graph: left to the Z-Image Optimize before" if is_on else "graph: off"
    network = model.get_model_object(DIFFUSION_MODEL)
    if not isinstance(network, S3DiT):
        check(network, type(model.model).__name__)
    reason = _refusal(model, is_compiled)
    if reason is not None:
        return model, f"graph: refused, because {reason}"
    clone, moved = (staying(model), "; the model stays on the card as a whole") if model.is_dynamic() else (model, "")
    clone = clone.clone()
    recording = Recording(clone.model)
    clone.model_options.setdefault("transformer_options", {})[RECORDING] = recording
    for event, answer in (
        (CallbacksMP.ON_DETACH, recording.after_unloading),
        (CallbacksMP.ON_CLEANUP, recording.after_run),
    ):
        clone.remove_callbacks_with_key(event, RECORDING)
        clone.add_callback_with_key(event, RECORDING, answer)
    clone.set_additional_models(RECORDING, [GraphMemory(recording, model.load_device, model.offload_device)])
    return clone, f"graph: whole steps are recorded, for picture sizes that gain by it; the same pictures{moved}"


def staying(model: Any) -> Any:
    """The same MODEL, loaded again as one that ComfyUI moves as a whole and not while it draws."""
    clone = model.clone(disable_dynamic=True)
    remove_attachment(clone)
    clone.parent = None  # the MODEL it was cloned from has other layers
    return clone


class RecordedSteps(torch.nn.Module):
    """What ComfyUI names in its log when it loads and unloads the memory below."""


class GraphMemory(comfy.model_patcher.ModelPatcher):
    """The memory of a MODEL's recordings, as one of the models ComfyUI loads, counts and unloads."""

    def __init__(self, recording: Recording, load_device: torch.device, offload_device: torch.device) -> None:
        super().__init__(RecordedSteps(), load_device, offload_device)
        self.model.device = load_device  # it is nowhere else
        self.recording = recording

    def model_size(self) -> int:
        return self.recording.held

    def loaded_size(self) -> int:
        return self.recording.held

    def clone(self, *args: Any, **kwargs: Any) -> "GraphMemory":
        """Clones of a MODEL share their recordings."""
        return self

    def deepclone_multigpu(self, *args: Any, **kwargs: Any) -> "GraphMemory":
        """On other cards nothing is recorded."""
        return self

    def partially_load(self, *args: Any, **kwargs: Any) -> int:
        """Memory is taken when a step is recorded."""
        return 0

    def partially_unload(self, *args: Any, **kwargs: Any) -> int:
        """All of it at once."""
        return self.recording.drop()

    def detach(self, unpatch_all: bool = True) -> Any:
        """Also called, with `unpatch_all` false, when it stays."""
        if unpatch_all:
            self.recording.drop()
        return self.model


def _refusal(model: Any, is_compiled: bool) -> str | None:
    if not is_nvidia_card(model.load_device):
        return f"steps are recorded on NVIDIA cards only, and this model draws on {model.load_device.type}"
    if is_compiled:
        return "the layers are compiled; choose one of the two"
    share = model_memory(model).resident_share
    if share < 1:
        return f"only about {share:.0%} of the weights can stay on the card, and a recorded step needs them all there"
    if model.is_dynamic() and model.cached_patcher_init is None:
        return (
            "ComfyUI moves the weights while it draws and the loader does not tell their file; use Z-Image Load Model"
        )
    return None


def is_nvidia_card(device: torch.device) -> bool:
    """Where there is a choice of kernels, and work can be recorded."""
    return model_management.is_nvidia() and device.type == "cuda"
