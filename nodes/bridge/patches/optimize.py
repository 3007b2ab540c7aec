"""What Z-Image Optimize does to a MODEL: one function per input, each with a line for the report."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from comfy.ldm.modules.attention import get_attention_function
from einops import rearrange
from torch import Tensor

from ....zimage_core.attention import BACKENDS
from ....zimage_core.runtime.attention_choice import FastestAttention
from ..loading.host import int8_refusal
from ..loading.model import ZImageModel, load_model, source_of
from ..loading.repack import INT8
from ..network.attach import (
    DIFFUSION_MODEL,
    AttachedS3DiT,
    attach,
    patch_forward,
    remove_attachment,
    running_network,
    with_compiled_blocks,
)
from ..network.blocks import ATTENTION_NAME, ATTENTION_OVERRIDE, STEP_INVARIANT
from . import flash
from .cuda_graph_memory import OFF, is_nvidia_gpu, model_memory, with_cuda_graphs
from .step_cache import DEFAULT_CACHE, has_step_cache, with_step_cache

KEEP = "as loaded"
AUTOMATIC, COMFYUI, SAGE, FLASH, XFORMERS = "automatic", "ComfyUI's", "sage (faster, not exact)", "flash", "xformers"
PACKAGES = {  # attention of packages that users install: ComfyUI's name, the package, words for the report
    SAGE: ("sage", "sageattention", "SageAttention, not exact"),
    FLASH: ("flash", "flash-attn", "FlashAttention 2, through ComfyUI"),
    XFORMERS: ("xformers", "xformers", "xformers'"),
}
LAYERS = "each layer"
STEPS = "steps that hardly change (not exact)"


Attention = Callable[..., Tensor]  # ComfyUI's signature: q, k, v, heads, and options


class Decision(NamedTuple):
    """A MODEL after one decision, and the line for the report."""

    model: Any
    report: str


def optimize(
    model: Any, precision: str, attention: str, compiling: str, caching: str = OFF, graph: str = OFF
) -> Decision:
    """All decisions in turn, on clones: the given MODEL is unchanged."""
    decisions = (
        lambda given: with_precision(given, precision),
        lambda given: with_cuda_graphs(given, graph, compiling != OFF),  # may load the layers again
        with_our_forward,
        lambda given: with_attention(given, attention),
        lambda given: with_compiler(given, compiling),
        lambda given: with_caching(given, caching),
    )
    reports: list[str] = []
    for decide in decisions:
        model, report = decide(model)
        reports.append(report)
    return Decision(model, "\n".join((*reports, memory(model))))


def with_precision(model: Any, precision: str) -> Decision:
    """The MODEL's file loaded again with int8 layers, with the same patches."""
    dtype = str(model.model.get_dtype()).removeprefix("torch.")
    if precision != INT8:
        return Decision(model, f"precision: as loaded, {'packed' if model.model.model_config.quant_config else dtype}")
    refusal, source = int8_refusal(), source_of(model)
    if refusal:
        return Decision(model, f"precision: int8 refused, because {refusal}")
    if source is None:
        return Decision(model, "precision: int8 refused, as the loader does not tell its file; use Z-Image Load Model")
    fresh = load_model(source, None, True)
    clone = model.clone(model_override=fresh.get_clone_model_override())
    remove_attachment(clone)
    clone.parent, clone.size, clone.clone_base_uuid = fresh, fresh.model_size(), fresh.clone_base_uuid
    clone.cached_patcher_init = fresh.cached_patcher_init
    sizes = f"{model.model_size() / 1e9:.2f} GB of weights are now {fresh.model_size() / 1e9:.2f} GB"
    return Decision(clone, f"precision: main layers in int8, not exact; {sizes}")


def with_our_forward(model: Any) -> Decision:
    """This pack's forward, also around the layers of a stock loader."""
    if isinstance(model.model, ZImageModel):
        return Decision(model, "code: this pack's; captions refined once a run")
    report = "code: this pack's, around the stock loader's layers; captions refined once a run"
    return Decision(attach(model), report)


def with_attention(model: Any, choice: str) -> Decision:
    """Another attention for this MODEL only; an override by an earlier node stays."""
    options = model.model_options.get("transformer_options", {})
    if choice == COMFYUI:
        return Decision(model, "attention: ComfyUI's choice")
    if ATTENTION_OVERRIDE in options:
        return Decision(model, "attention: left to the node that overrides it already")
    newer = flash.newest(model.load_device) if choice == FLASH else None
    if newer is not None:
        clone = _with_override(model, flash.CheckedAttention(*newer))
        return Decision(clone, f"attention: {newer[0]}, where it gives ComfyUI's result")
    if choice in PACKAGES:
        return _with_package(model, *PACKAGES[choice])
    if not is_nvidia_gpu(model.load_device):
        return Decision(model, f"attention: ComfyUI's choice; there is one exact kernel on {model.load_device.type}")
    names = ", ".join(name for name in BACKENDS if name != "sdpa")
    clone = _with_override(model, as_override(FastestAttention()))
    return Decision(clone, f"attention: the fastest of PyTorch's own and {names}, by shape")


def with_compiler(model: Any, compiling: str) -> Decision:
    """torch.compile per layer, so that all layers share one compilation."""
    if compiling == OFF:
        return Decision(model, "compiling: off")
    clone, network = _with_untraced_attention(model), running_network(model)
    n_layers = len(clone.get_model_object(DIFFUSION_MODEL).layers)
    if isinstance(network, AttachedS3DiT):
        patch_forward(clone, with_compiled_blocks(network))
    else:
        from comfy_api.torch_helpers import set_torch_compile_wrapper  # imports torch._dynamo

        keys = [f"{DIFFUSION_MODEL}.layers.{i}" for i in range(n_layers)]
        set_torch_compile_wrapper(clone, backend="inductor", keys=keys)
    return Decision(clone, f"compiling: {n_layers} layers, at the first step of every picture size")


def with_caching(model: Any, caching: str) -> Decision:
    """The step cache with default settings; one of an earlier node stays."""
    if has_step_cache(model):
        return Decision(model, "caching: left to the Z-Image Step Cache before")
    if caching == OFF:
        return Decision(model, "caching: off")
    return Decision(
        with_step_cache(model, DEFAULT_CACHE),
        f"caching: steps at which the prediction drifts by less than {DEFAULT_CACHE.threshold:.0%} are skipped, not "
        "exact; Turbo's few steps leave none",
    )


def memory(model: Any) -> str:
    """What ComfyUI reserves for the weights and for a step, and how much of the weights can stay on the device."""
    needed = model_memory(model)
    share = needed.resident_fraction
    fits = "everything fits" if share == 1 else f"about {share:.0%} of the weights can stay, the rest streams"
    return (
        f"memory: {needed.weights / 1e9:.2f} GB of weights, {needed.step / 1e9:.2f} GB for a step at 1024x1024, "
        f"{needed.free / 1e9:.1f} GB free on {model.load_device.type}: {fits}"
    )


def as_override(attend: FastestAttention) -> Attention:
    """An attention as ComfyUI's override; calls with a mask go to ComfyUI's own attention."""

    def run(stock: Attention, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs.get("mask") is not None:
            return stock(q, k, v, heads, *args, **kwargs)
        if not kwargs.get("skip_reshape", False):
            q, k, v = (rearrange(x, "b n (h e) -> b h n e", h=heads) for x in (q, k, v))
        out = attend(q, k, v)
        return rearrange(out, "b n (h e) -> b h n e", h=heads) if kwargs.get("skip_output_reshape", False) else out

    return run


def _with_package(model: Any, name: str, package: str, words: str) -> Decision:
    """The attention of an installed package, through ComfyUI's wrapper of it, for this MODEL only."""
    attend = get_attention_function(name, default=None)
    if attend is None:
        return Decision(model, f"attention: {name} refused, because ComfyUI finds no package {package} it can use")

    def run(original: Attention, *args: Any, **kwargs: Any) -> Tensor:
        return attend(*args, **kwargs)

    setattr(run, ATTENTION_NAME, words)
    return Decision(_with_override(model, run), f"attention: {words}")


def _with_override(model: Any, run: Attention) -> Any:
    """A clone whose attention is `run`, marked as the same function at every step, so that steps may be captured."""
    setattr(run, STEP_INVARIANT, True)
    clone = model.clone()
    clone.model_options.setdefault("transformer_options", {})[ATTENTION_OVERRIDE] = run
    return clone


def _with_untraced_attention(model: Any) -> Any:
    """A clone whose attention, where this node chose it, is called by compiled layers as it is.

    Traced, its measurements and tables would fall into several graphs, which are compiled again at every new shape.
    """
    clone = model.clone()
    options = clone.model_options.setdefault("transformer_options", {})
    if hasattr(options.get(ATTENTION_OVERRIDE), STEP_INVARIANT):
        options[ATTENTION_OVERRIDE] = torch.compiler.disable(options[ATTENTION_OVERRIDE])  # keeps the attribute
    return clone
