"""Whole steps as CUDA graphs inside ComfyUI: which are captured, which run eagerly, and when captures are dropped.

A replay repeats the captured kernels on the same addresses. So a step is captured only where nothing but its inputs
can differ the next time, all weights are on the GPU, and launching takes longer than the kernels themselves. The first
replay must equal the eager step bit for bit. All other steps run eagerly, block by block.
"""

import logging
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import Any
from weakref import ref

import torch
from comfy import model_management
from torch import Tensor

from ....zimage_core.measure import Compute, run_and_compare
from ....zimage_core.model import Block, S3DiT
from ....zimage_core.runtime.capture import SWITCHED_OFF, CaptureFunction, is_switched_off
from ....zimage_core.runtime.cuda_graphs import CapturedSteps, Inputs, Step, launch_bound
from .blocks import ATTENTION_OVERRIDE, SHARED_ATTENTION, STEP_INVARIANT, Options
from .native_calls import changed_block

LOGGER = logging.getLogger("zimage")
CUDA_GRAPHS = "zimage_cuda_graphs"  # key of `ModelCaptures` among a MODEL's transformer options
MIN_FREE_BYTES = 5e9  # left free beside captures: about what ComfyUI sets aside to decode an image of 1024x1024


class Phase(Enum):
    """What the next step with the same input shapes does."""

    WARM_UP = "warm up"  # back ends choose and compile kernels
    MEASURE = "measure"  # time the launches against the whole step
    CAPTURE = "capture"  # launches take most of the step
    EAGER = "eager"  # they do not, or the capture failed


class ModelCaptures:
    """The captured steps of a MODEL, shared by its clones and freed with the last of them."""

    def __init__(
        self,
        model: Any,
        capture: CaptureFunction | None = None,
        measure: Callable[[Compute], tuple[Tensor, bool]] = launch_bound,
    ) -> None:
        self.model = ref(model)  # ComfyUI's BaseModel, which MODELs share
        self.steps = CapturedSteps(capture)
        self.measure = measure
        self.phases: dict[Hashable, Phase] = {}
        self.logged: set[str] = set()
        self.is_used = False  # in this run

    def __call__(self, network: S3DiT, options: Options, step: Step, dynamic: Inputs, static: Inputs) -> Tensor:
        """`step(*dynamic, *static)`, which is all that the network computes at one noise level."""
        eager = partial(step, *dynamic, *static)
        if torch.compiler.is_compiling():
            return eager()
        device, override = dynamic[0].device, options.get(ATTENTION_OVERRIDE)
        reason = self.reason_for_eager(network, options, device)
        if reason is not None:
            self._log_once(f"Z-Image: steps run block by block here, because {reason}")
            return eager()
        key = self.steps.key(dynamic, static, override)
        captured = partial(self.steps.run, key, step, dynamic, static)
        if key in self.steps.captures:
            model_management.throw_exception_if_processing_interrupted()
            self.is_used = True
            return captured()
        return self._advance(key, eager, captured, device)

    def reason_for_eager(self, network: S3DiT, options: Options, device: torch.device) -> str | None:
        """Why this step must run eagerly; None if it may be captured. Captures of former weights are dropped here."""
        model, native = self.model(), getattr(network, "native", None)
        if model is None or model.diffusion_model not in (network, native):
            return "the model was exchanged after Z-Image Optimize"
        reason = _change_by_nodes(options, getattr(model, "current_patcher", None)) or _change_in_layers(network)
        if reason is not None:
            return reason
        extra_modules = () if native is None else (native,)
        patches = getattr(model, "current_weight_patches_uuid", None)
        fingerprint = self.steps.refresh(network, extra_modules, state=patches)
        if fingerprint.has_hooks:
            return "a hook in Python watches its layers"
        if fingerprint.devices != frozenset({device}):
            return "not all of its weights are on the GPU"
        return None

    def after_unloading(self, patcher: Any, is_unpatched: bool) -> None:
        """ComfyUI's callback for detached models; weights that are not unpatched stay where they are."""
        if is_unpatched:
            self.steps.drop()

    def after_run(self, patcher: Any) -> None:
        """ComfyUI's callback at the end of a run, after which decoding needs memory."""
        if not self.is_used or not self._has_free_memory(patcher.load_device):
            self.steps.drop()
        self.is_used = False

    def _advance(self, key: Hashable, eager: Compute, captured: Compute, device: torch.device) -> Tensor:
        """A step whose input shapes have no capture yet, and its next phase."""
        phase = self.phases.get(key, Phase.WARM_UP)
        if phase is Phase.WARM_UP:
            self.phases[key] = Phase.MEASURE
        elif phase is Phase.MEASURE:
            out, is_launch_bound = self.measure(eager)
            self.phases[key] = Phase.CAPTURE if is_launch_bound else Phase.EAGER
            return out
        elif phase is Phase.CAPTURE and is_switched_off():
            self._log_once(f"Z-Image: steps run block by block here, because {SWITCHED_OFF}")
        elif phase is Phase.CAPTURE and self._has_free_memory(device):
            return self._capture(key, eager, captured, device)
        return eager()

    def _capture(self, key: Hashable, eager: Compute, captured: Compute, device: torch.device) -> Tensor:
        """The eager step's output; the capture stays if its first replay gives the same."""
        expected = eager()
        self.steps.make_room()  # before memory is measured
        free_before = _free(device)
        with _uninterrupted():
            replayed = run_and_compare(
                captured, expected, "it does not give the same numbers", is_same=torch.equal, passed_on=()
            )
        if isinstance(replayed, Tensor):
            self.is_used = True
            self.steps.device_bytes += max(0, free_before - _free(device))
        else:
            self.steps.drop()
            self.phases[key] = Phase.EAGER
            LOGGER.warning(
                "Z-Image: a step could not be captured as a CUDA graph and runs block by block: %s", replayed
            )
        return expected

    def _has_free_memory(self, device: torch.device) -> bool:
        """Whether enough is free without the captures' memory pool, which ComfyUI counts as free."""
        is_enough = model_management.get_free_memory(device) - self.steps.device_bytes >= MIN_FREE_BYTES
        if not is_enough:
            size = f"{MIN_FREE_BYTES / 1e9:.0f} GB"
            self._log_once(f"Z-Image: steps run block by block here, because less than {size} would stay free")
        return is_enough

    def _log_once(self, line: str) -> None:
        """Once per MODEL, not at every step."""
        if line not in self.logged:
            self.logged.add(line)
            LOGGER.info(line)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """No check for interruption in ComfyUI's layers and ours, whose exception would break a capture."""
    check = model_management.throw_exception_if_processing_interrupted
    model_management.throw_exception_if_processing_interrupted = lambda: None
    try:
        yield
    finally:
        model_management.throw_exception_if_processing_interrupted = check


def _change_by_nodes(options: Options, patcher: Any) -> str | None:
    """What other nodes may do differently at the next step; None if nothing."""
    override = options.get(ATTENTION_OVERRIDE)
    if any(options.get("patches", {}).values()) or any(options.get("patches_replace", {}).values()):
        return "a node patches the blocks or a ControlNet steers them"
    if SHARED_ATTENTION in options:
        return "reference pictures give it their style"
    if override is not None and not hasattr(override, STEP_INVARIANT):
        return "a node overrides the attention"
    if patcher is not None and (patcher.current_hooks or patcher.hook_patches or any(patcher.injections.values())):
        return "a node changes weights while the model draws"
    if torch.is_grad_enabled():
        return "the model is being trained"
    return None


def _change_in_layers(network: S3DiT) -> str | None:
    """What layers do besides reading their weights; None if nothing."""
    for module in network.modules():
        attributes = vars(module)
        if isinstance(module, Block) and changed_block(module) is not None:
            return "a node replaces the work of a block"
        if attributes.get("weight_function") or attributes.get("bias_function"):
            return "a node changes weights while the model draws"
        if "_orig_mod" in attributes["_modules"] or attributes.get("_compiled_call_impl") is not None:
            return "its layers are compiled"
    return None


def _free(device: torch.device) -> int:
    """Free bytes of a device after PyTorch's cached blocks are released; 0 on a CPU."""
    model_management.soft_empty_cache()
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
