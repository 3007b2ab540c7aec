"""Whole steps as CUDA graphs inside ComfyUI: which are recorded, which run as ever, and when recordings are let go.

A recording does again what was done once, on the same addresses. So a step is recorded only where nothing but its
inputs can differ the next time, the weights lie on the card, and launching takes longer than working; its first answer
must be the plain step's, bit for bit. Everything else runs block by block.
"""

import logging
from collections.abc import Callable, Hashable
from enum import Enum
from functools import partial
from typing import Any
from weakref import ref

import torch
from comfy import model_management
from torch import Tensor

from ....zimage_core.measure import Run
from ....zimage_core.model import S3DiT
from ....zimage_core.runtime.cuda_graphs import Capture, Graphs, Inputs, Step, capture_cuda, launch_bound
from .blocks import OVERRIDE, STEADY, Options

LOGGER = logging.getLogger("zimage")
RECORDING = "zimage_recording"  # among a MODEL's transformer options
ROOM = 5e9  # bytes that stay free beside recordings: about what ComfyUI sets aside to decode a square megapixel


class Next(Enum):
    """What the next step of a geometry is for."""

    WARMING_UP = "back-ends are chosen and compiled"
    MEASURING = "is launching what takes the time?"
    RECORDING = "it is"
    PLAIN = "it is not, or recording failed"


class Recording:
    """The recorded steps of a MODEL, shared by its clones and gone with the last of them."""

    def __init__(
        self, model: Any, capture: Capture = capture_cuda, is_worth: Callable[[Run], tuple[Tensor, bool]] = launch_bound
    ) -> None:
        self.model = ref(model)  # ComfyUI's, which the MODEL is a handle of
        self.capture = capture
        self.is_worth = is_worth
        self.graphs: Graphs | None = None
        self.patches: object = None  # the state of ComfyUI's weight patches the graphs were recorded with
        self.stages: dict[Hashable, Next] = {}
        self.told: set[str] = set()
        self.held = 0  # bytes
        self.is_used = False  # in this run

    def __call__(self, network: S3DiT, options: Options, step: Step, changing: Inputs, lasting: Inputs) -> Tensor:
        """`step(*changing, *lasting)`, which computes all that a network does at one noise level."""
        plain = partial(step, *changing, *lasting)
        if torch.compiler.is_compiling():
            return plain()
        device, override = changing[0].device, options.get(OVERRIDE)
        reason = self.why_not(network, options, device)
        if reason is not None:
            self._tell(f"Z-Image: steps run block by block here, because {reason}")
            return plain()
        assert self.graphs is not None
        key = self.graphs.key(changing, lasting, override)
        recorded = partial(self.graphs.run, key, step, changing, lasting)
        if key in self.graphs.graphs:
            model_management.throw_exception_if_processing_interrupted()
            self.is_used = True
            return recorded()
        return self._advance(key, plain, recorded, device)

    def why_not(self, network: S3DiT, options: Options, device: torch.device) -> str | None:
        """What keeps this step from being recorded. Graphs of weights that are no more are dropped here."""
        model = self.model()
        if model is None or model.diffusion_model not in (network, getattr(network, "native", None)):
            return "the model was exchanged after Z-Image Optimize"
        change = _change_in(options, getattr(model, "current_patcher", None)) or _change_in_layers(network)
        if change is not None:
            return change
        self._refresh(network, getattr(model, "current_weight_patches_uuid", None))
        assert self.graphs is not None and self.graphs.standing is not None
        if self.graphs.standing.is_watched:
            return "a hook in Python watches its layers"
        if self.graphs.standing.devices != frozenset({device}):
            return "not all of its weights are on the card"
        return None

    def drop(self) -> int:
        """Give everything recorded back; the bytes that are free now."""
        freed, self.held = self.held, 0
        if self.graphs is not None:
            self.graphs.drop()
        return freed

    def after_unloading(self, patcher: Any, is_unpatched: bool) -> None:
        """ComfyUI's callback; it also detaches models that stay where they are."""
        if is_unpatched:
            self.drop()

    def after_run(self, patcher: Any) -> None:
        """ComfyUI's callback at the end of a run: what comes next must not lack the memory."""
        if not self.is_used or not self._has_room(patcher.load_device):
            self.drop()
        self.is_used = False

    def _refresh(self, network: S3DiT, patches: object) -> None:
        if self.graphs is None or self.graphs.dit is not network:
            native = getattr(network, "native", None)
            self.drop()
            self.graphs = Graphs(network, self.capture, () if native is None else (native,))
        if patches != self.patches:
            self.drop()
            self.patches = patches
        self.graphs.refresh()
        if not self.graphs.graphs:
            self.held = 0

    def _advance(self, key: Hashable, plain: Run, recorded: Run, device: torch.device) -> Tensor:
        """One step of a geometry that is not recorded, nearer to being so or knowing that it need not be."""
        stage = self.stages.get(key, Next.WARMING_UP)
        if stage is Next.WARMING_UP:
            self.stages[key] = Next.MEASURING
        elif stage is Next.MEASURING:
            out, is_worth = self.is_worth(plain)
            self.stages[key] = Next.RECORDING if is_worth else Next.PLAIN
            return out
        elif stage is Next.RECORDING and self._has_room(device):
            return self._first_recorded(key, plain, recorded, device)
        return plain()

    def _first_recorded(self, key: Hashable, plain: Run, recorded: Run, device: torch.device) -> Tensor:
        """The plain step's answer; from the next step on the recorded one's, if that is the same."""
        assert self.graphs is not None
        expected = plain()
        before = _free(device)
        try:
            is_same = torch.equal(recorded(), expected)
            trouble = None if is_same else "it does not give the same numbers"
        except model_management.InterruptProcessingException:
            self.drop()
            raise
        except Exception as error:  # noqa: BLE001 - a capture's failure has any type; the work goes on without it
            trouble = str(error).partition("\n")[0]
        if trouble is None:
            self.is_used = True
            self.held += max(0, before - _free(device))
        else:
            self.drop()
            self.stages[key] = Next.PLAIN
            LOGGER.warning("Z-Image: a step could not be recorded and runs block by block: %s", trouble)
        return expected

    def _has_room(self, device: torch.device) -> bool:
        """ComfyUI takes memory that only a graph can use for free."""
        has_room = model_management.get_free_memory(device) - self.held >= ROOM
        if not has_room:
            self._tell(f"Z-Image: steps run block by block here, because less than {ROOM / 1e9:.0f} GB would stay free")
        return has_room

    def _tell(self, line: str) -> None:
        """Once for every MODEL, not at every step."""
        if line not in self.told:
            self.told.add(line)
            LOGGER.info(line)


def _change_in(options: Options, patcher: Any) -> str | None:
    """What the graph of nodes may do differently at the next step."""
    override = options.get(OVERRIDE)
    if any(options.get("patches", {}).values()) or any(options.get("patches_replace", {}).values()):
        return "a node patches the blocks or a ControlNet steers them"
    if override is not None and not hasattr(override, STEADY):
        return "a node overrides the attention"
    if patcher is not None and (patcher.current_hooks or patcher.hook_patches or any(patcher.injections.values())):
        return "a node changes weights while the model draws"
    if torch.is_grad_enabled():
        return "the model is being trained"
    return None


def _change_in_layers(network: S3DiT) -> str | None:
    """What layers do besides computing."""
    for module in network.modules():
        own = vars(module)
        if own.get("weight_function") or own.get("bias_function"):
            return "a node changes weights while the model draws"
        if "_orig_mod" in own["_modules"] or own.get("_compiled_call_impl") is not None:
            return "its layers are compiled"
    return None


def _free(device: torch.device) -> int:
    """Bytes no program holds, this one's own caches emptied."""
    model_management.soft_empty_cache()
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
