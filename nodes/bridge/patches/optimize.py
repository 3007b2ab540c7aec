"""A MODEL made faster or smaller, with a sentence for everything done, left alone or refused."""

from collections.abc import Callable
from typing import Any, NamedTuple

import comfy.sd
from comfy.ldm.modules.attention import get_attention_function
from einops import rearrange
from torch import Tensor

from ....zimage_core.attention import BACKENDS
from ....zimage_core.runtime.attention_choice import Fastest
from ..loading.model import ZImageModel, load_model
from ..loading.repack import INT8
from ..network.attach import (
    DIFFUSION_MODEL,
    AttachedS3DiT,
    attach,
    compiled,
    patch_forward,
    remove_attachment,
    running_network,
)
from ..network.blocks import OVERRIDE, STEADY
from . import flash
from .cuda_graph_memory import OFF, is_nvidia_card, model_memory, with_graph
from .step_cache import DEFAULT_CACHE, has_step_cache, with_step_cache

KEEP = "as loaded"
AUTOMATIC, HOST, SAGE, FLASH, XFORMERS = "automatic", "ComfyUI's", "sage (faster, not exact)", "flash", "xformers"
INSTALLED = {  # attentions of packages people install themselves: ComfyUI's name, the package, what to know
    SAGE: ("sage", "sageattention", "SageAttention, not exact"),
    FLASH: ("flash", "flash-attn", "FlashAttention 2, through ComfyUI"),
    XFORMERS: ("xformers", "xformers", "xformers'"),
}
LAYERS = "each layer"
STEPS = "steps that hardly change (not exact)"


class Change(NamedTuple):
    """A MODEL after one decision, and the decision in words."""

    model: Any
    report: str


def optimise(
    model: Any, precision: str, attention: str, compiling: str, caching: str = OFF, graph: str = OFF
) -> Change:
    """All decisions in turn; the MODEL that came in stays as it was."""
    decisions = (
        lambda given: with_precision(given, precision),
        lambda given: with_graph(given, graph, compiling != OFF),  # which layers there are is settled here
        with_our_forward,
        lambda given: with_attention(given, attention),
        lambda given: with_compiler(given, compiling),
        lambda given: with_caching(given, caching),
    )
    reports: list[str] = []
    for decide in decisions:
        model, report = decide(model)
        reports.append(report)
    return Change(model, "\n".join((*reports, memory(model))))


def with_precision(model: Any, precision: str) -> Change:
    """The same file in other numbers, under the same patches."""
    dtype = str(model.model.get_dtype()).removeprefix("torch.")
    if precision != INT8:
        return Change(model, f"precision: as loaded, {'packed' if model.model.model_config.quant_config else dtype}")
    source = _source(model)
    if source is None:
        return Change(model, "precision: int8 refused, as the loader does not tell its file; use Z-Image Load Model")
    fresh = load_model(source, None, True)
    clone = model.clone(model_override=fresh.get_clone_model_override())
    remove_attachment(clone)
    clone.parent, clone.size, clone.clone_base_uuid = fresh, fresh.model_size(), fresh.clone_base_uuid
    clone.cached_patcher_init = fresh.cached_patcher_init
    sizes = f"{model.model_size() / 1e9:.2f} GB of weights are now {fresh.model_size() / 1e9:.2f} GB"
    return Change(clone, f"precision: main layers in int8, not exact; {sizes}")


def with_our_forward(model: Any) -> Change:
    """This pack's forward, whoever loaded the layers."""
    if isinstance(model.model, ZImageModel):
        return Change(model, "forward: this pack's; captions refined once a run")
    return Change(attach(model), "forward: this pack's, around the stock loader's layers; captions refined once a run")


def with_attention(model: Any, choice: str) -> Change:
    """Another attention for this model alone; one that a node before has put in has the first word."""
    options = model.model_options.get("transformer_options", {})
    if choice == HOST:
        return Change(model, "attention: ComfyUI's choice")
    if OVERRIDE in options:
        return Change(model, "attention: left to the node that overrides it already")
    newer = flash.newest(model.load_device) if choice == FLASH else None
    if newer is not None:
        return Change(
            _overridden(model, flash.Checked(*newer)), f"attention: {newer[0]}, where it gives ComfyUI's result"
        )
    if choice in INSTALLED:
        return _installed(model, *INSTALLED[choice])
    if not is_nvidia_card(model.load_device):
        return Change(model, f"attention: ComfyUI's choice; there is one exact kernel on {model.load_device.type}")
    names = ", ".join(name for name in BACKENDS if name != "sdpa")
    return Change(
        _overridden(model, exact(Fastest())), f"attention: the fastest of PyTorch's own and {names}, by shape"
    )


def with_compiler(model: Any, compiling: str) -> Change:
    """torch.compile of every layer by itself, so that one compilation serves them all."""
    if compiling == OFF:
        return Change(model, "compiling: off")
    clone, network = model.clone(), running_network(model)
    n_layers = len(clone.get_model_object(DIFFUSION_MODEL).layers)
    if isinstance(network, AttachedS3DiT):
        patch_forward(clone, compiled(network))
    else:
        from comfy_api.torch_helpers import set_torch_compile_wrapper  # heavy, and only wanted here

        keys = [f"{DIFFUSION_MODEL}.layers.{i}" for i in range(n_layers)]
        set_torch_compile_wrapper(clone, backend="inductor", keys=keys)
    return Change(clone, f"compiling: {n_layers} layers, at the first step of every picture size")


def with_caching(model: Any, caching: str) -> Change:
    """The step cache in its usual setting; one with a setting of the artist's own stays."""
    if has_step_cache(model):
        return Change(model, "caching: left to the Z-Image Step Cache before")
    if caching == OFF:
        return Change(model, "caching: off")
    return Change(
        with_step_cache(model, DEFAULT_CACHE),
        f"caching: steps at which the prediction drifts by less than {DEFAULT_CACHE.threshold:.0%} are skipped, not "
        "exact; Turbo's few steps leave none",
    )


def memory(model: Any) -> str:
    """What ComfyUI reserves for the weights and for a step, and how much of the weights can stay on the device."""
    needed = model_memory(model)
    share = needed.resident_share
    fits = "everything fits" if share == 1 else f"about {share:.0%} of the weights can stay, the rest streams"
    return (
        f"memory: {needed.weights / 1e9:.2f} GB of weights, {needed.step / 1e9:.2f} GB for a step at 1024x1024, "
        f"{needed.free / 1e9:.1f} GB free on {model.load_device.type}: {fits}"
    )


def exact(attend: Fastest) -> Callable[..., Tensor]:
    """A measured attention in the form of ComfyUI's override; masks are none of its business."""

    def run(host: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs.get("mask") is not None:
            return host(q, k, v, heads, *args, **kwargs)
        if not kwargs.get("skip_reshape", False):
            q, k, v = (rearrange(x, "b n (h e) -> b h n e", h=heads) for x in (q, k, v))
        out = attend(q, k, v)
        return rearrange(out, "b n (h e) -> b h n e", h=heads) if kwargs.get("skip_output_reshape", False) else out

    return run


def _installed(model: Any, name: str, package: str, words: str) -> Change:
    """ComfyUI's own wrapper of a package's attention, for this model alone."""
    attend = get_attention_function(name, default=None)
    if attend is None:
        return Change(model, f"attention: {name} refused, because ComfyUI finds no package {package} it can use")

    def run(original: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        return attend(*args, **kwargs)

    return Change(_overridden(model, run), f"attention: {words}")


def _overridden(model: Any, run: Callable[..., Tensor]) -> Any:
    setattr(run, STEADY, True)
    clone = model.clone()
    clone.model_options.setdefault("transformer_options", {})[OVERRIDE] = run
    return clone


def _source(model: Any) -> str | None:
    """The file a MODEL came from, if its loader can load it again."""
    if model.cached_patcher_init is None:
        return None
    load, arguments, *_ = model.cached_patcher_init
    knows_file = load in (load_model, comfy.sd.load_diffusion_model, comfy.sd.load_checkpoint_guess_config)
    return str(arguments[0]) if knows_file else None
