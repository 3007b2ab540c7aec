"""One network call in another form: with plain attention, in float32, and with hooks that find the layer that breaks.

It is a wrapper around the network of any Z-Image MODEL, which acts only while a step is run again.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from comfy.ldm.modules.attention import attention_pytorch
from torch import Tensor, nn

from ....zimage_core.diagnosis import Form, Trace, is_finite, traced
from ..network.blocks import ATTENTION_OVERRIDE, STEP_INVARIANT, Options
from ..network.cuda_graphs import CUDA_GRAPHS
from .step_cache import KEY as STEP_CACHE

TRIAL = "zimage_trial"  # in transformer options: the `Rerun` under way
NOTE_SIZES = "zimage_note_sizes"  # in transformer options: a function that is given the trace of a float16 call
CAST = "comfy_cast_weights"  # attribute of ComfyUI's layers: take weights in the input's dtype


class Rerun:
    """A step that is run again in a form; `trace` is what its first network call showed that broke."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.trace = Trace()
        self.has_broken_latent = self.has_broken_prompt = False
        self.dtype = torch.float32  # computed in, where the form does not change it

    def options(self, options: Options) -> Options:
        """Transformer options of the step in this form."""
        changed = {name: value for name, value in options.items() if name not in (STEP_CACHE, CUDA_GRAPHS)}
        if self.form is not Form.SAME:
            changed[ATTENTION_OVERRIDE] = plain_attention
        return {**changed, TRIAL: self}


def plain_attention(stock: Any, *args: Any, **kwargs: Any) -> Tensor:
    """ComfyUI's override that calls PyTorch's attention, whatever ComfyUI was started with."""
    return attention_pytorch(*args, **kwargs)


setattr(plain_attention, STEP_INVARIANT, True)


def call_in_form(executor: Any, x: Tensor, timesteps: Tensor, context: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """DIFFUSION_MODEL wrapper: the network's call in the form of the trial under way, else as it is."""
    rerun: Rerun | None = kwargs.get("transformer_options", {}).get(TRIAL)
    if rerun is None:
        return _watched(executor, x, timesteps, context, *args, **kwargs)
    rerun.dtype = x.dtype
    rerun.has_broken_latent |= not is_finite(x)
    rerun.has_broken_prompt |= not is_finite(context)
    network = _network(executor)
    is_float32 = rerun.form is Form.FLOAT32
    options = kwargs.pop("transformer_options")
    if is_float32:
        x, context, args, kwargs = (_in_float32(each) for each in (x, context, args, kwargs))
    with traced(network) as trace, casting(network) if is_float32 else nullcontext():
        out = executor(x, timesteps, context, *args, **kwargs, transformer_options=options)
    if rerun.trace.first_from() is None:
        rerun.trace = trace
    return out


def _watched(executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """A plain call; in float16 with hooks, as overflow is clamped there and shows in no result."""
    note: Callable[[Trace], None] | None = kwargs.get("transformer_options", {}).get(NOTE_SIZES)
    if note is None or x.dtype != torch.float16:
        return executor(x, *args, **kwargs)
    with traced(_network(executor)) as trace:
        out = executor(x, *args, **kwargs)
    note(trace)
    return out


def _network(executor: Any) -> nn.Module:
    """The network whose layers run: native's own where ours is attached to it."""
    return getattr(executor.class_obj, "native", executor.class_obj)


@contextmanager
def casting(network: nn.Module) -> Generator[None]:
    """Layers that take their weights in the dtype of their input."""
    changed = [module for module in network.modules() if getattr(module, CAST, None) is False]
    try:
        for module in changed:
            setattr(module, CAST, True)
        yield
    finally:
        for module in changed:
            setattr(module, CAST, False)


def _in_float32(value: Any) -> Any:
    """Tensors of floating point in float32, inside lists, tuples and dictionaries, too."""
    match value:
        case Tensor():
            return value.float() if value.is_floating_point() else value
        case Mapping():
            return {name: _in_float32(each) for name, each in value.items()}
        case list() | tuple():
            return type(value)(map(_in_float32, value))
        case _:
            return value
