"""Conditions as ComfyUI's sampler carries them to the network: captions, reference images, and a cache per run.

Stock ComfyUI batches captions only if they are equally long. Z-Image pads them to multiples of 32 with a learned token,
so two prompts of one padded length have inputs of the same shape and run as one batch. Guidance inside attention (NAG
and its like) needs that too: the positive and the negative prompt in one call.

ComfyUI concatenates captions anew at every step. Here all steps of a run get the same tensor, and a cache of what was
computed from it is attached to it: another tensor has another cache, and no cache outlives its run.

Letters: b batch, n tokens, f width of the text embeddings.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from comfy.conds import CONDConstant, CONDList, CONDRegular
from torch import Tensor
from torch.nn.functional import pad

from ....zimage_core.model.sequence import padded_length
from .overflow import ENCODER_OVERFLOWED, VAE_OVERFLOWED, check_finite
from .region_loras import with_loras_of_run
from .regional_conditions import REGIONS_KEY, RegionsCond, prompt_and_regions, regions_of_run
from .unequal_prompts import compares_prompts

RULES_KEY = "zimage_omni_rules"  # in conditioning: the `OmniRules` it was made for
LATENTS_KEY = "zimage_latents_alone"  # in conditioning: True if a network without a vision branch may take it
REFERENCE_CONDS = {"ref_latents", "ref_contexts", "siglip_feats"}  # ComfyUI's names
RUN_CACHE = "zimage_run_cache"  # attribute of a caption tensor
WEIGHTS_AT_STEP = "zimage_weights_at_step"  # in transformer options: what tells this step's weights from others'

Conditions = dict[str, Any]
RunCache = dict[Any, Any]
Result = TypeVar("Result")


def zimage_conditions(model: Any, native: Conditions, **kwargs: Any) -> Conditions:
    """Conditions of a BaseModel from the stock ones, so that prompts of one padded length run together.

    `kwargs` are the arguments of `BaseModel.extra_conds`; among them `cross_attn`, the caption (b, n, f).
    """
    out = {**native}
    caption, regions = kwargs.get("cross_attn"), kwargs.get(REGIONS_KEY, ())
    if caption is not None:
        caption, regions = prompt_and_regions(caption, regions, kwargs["noise"].shape)
        check_finite(caption, "A prompt's conditioning", ENCODER_OVERFLOWED)
        joins_all = _joins_all(model, out)
        out["c_crossattn"] = CaptionCond(_run_caption(model, caption, **kwargs), joins_all=joins_all)
        placed = regions_of_run(model, regions, kwargs.get("device"))
        placed = with_loras_of_run(placed, kwargs["noise"], kwargs.get("prompt_type"))
        if placed or joins_all:
            out["regions"] = RegionsCond((placed,), joins_all=joins_all)
        out["caption_lengths"] = CaptionLengths((caption.shape[1],) * len(caption))
        out["num_tokens"] = TokenCount(padded_length(caption.shape[1]))
    for name in REFERENCE_CONDS & out.keys():
        for each in out[name].cond:
            check_finite(each, "A reference picture of the conditioning", VAE_OVERFLOWED)
        moved = [each.to(device=kwargs.get("device"), dtype=model.get_dtype_inference()) for each in out[name].cond]
        out[name] = ReferenceCond(moved)
    if RULES_KEY in kwargs:
        out["omni_rules"] = CONDConstant(kwargs[RULES_KEY])
    if kwargs.get(LATENTS_KEY):
        out["latents_alone"] = CONDConstant(True)
    return out


def _joins_all(model: Any, conditions: Conditions) -> bool:
    """Whether prompts of all lengths go into one call, because a node compares them there."""
    patcher = model.current_patcher
    return patcher is not None and compares_prompts(patcher.model_options) and not REFERENCE_CONDS & conditions.keys()


def _run_caption(model: Any, caption: Tensor, device: Any = None, hooks: Any = None, **kwargs: Any) -> Tensor:
    """The caption (b, n, f) on the network's device and in its dtype, with a run cache.

    Hooks change weights during a run, which would make cached results stale: then there is no cache.
    """
    caption = caption.to(device=device, dtype=model.get_dtype_inference())
    patcher = model.current_patcher
    has_hooks = hooks is not None or (
        patcher is not None and (patcher.forced_hooks is not None or bool(patcher.hook_patches))
    )
    return caption if has_hooks else with_run_cache(caption)


class CaptionCond(CONDRegular):
    """Text embeddings (b, n, f); shorter ones are padded with zeros, which `CaptionLengths` tells apart from tokens."""

    cond: Tensor

    def __init__(self, cond: Tensor, shared: dict[Any, Tensor] | None = None, *, joins_all: bool = False) -> None:
        super().__init__(cond)
        self.shared: dict[Any, Tensor] = {} if shared is None else shared  # tensors that all steps of the run reuse
        self.joins_all = joins_all  # whether other padded lengths may join it

    def _copy_with(self, cond: Tensor) -> "CaptionCond":
        return CaptionCond(self.shared.setdefault(cond.shape, cond), self.shared, joins_all=self.joins_all)

    def can_concat(self, other: CONDRegular) -> bool:
        mine, theirs = self.cond, other.cond
        return (
            (self.joins_all or padded_length(mine.shape[1]) == padded_length(theirs.shape[1]))
            and mine.shape[2] == theirs.shape[2]
            and mine.device == theirs.device
        )

    def concat(self, others: list["CaptionCond"]) -> Tensor:
        captions = [self.cond, *(other.cond for other in others)]
        key = tuple(id(caption) for caption in captions)
        if key not in self.shared:
            longest = max(caption.shape[1] for caption in captions)
            joined = torch.cat(
                [pad(caption, (0, 0, 0, longest - caption.shape[1])) for caption in captions]
            )  # (b, n, f)
            is_cached = all(run_cache_of(caption) is not None for caption in captions)
            self.shared[key] = with_run_cache(joined) if is_cached else joined
        return self.shared[key]


class CaptionLengths(CONDConstant):
    """The number of tokens of every caption, as Python integers: reading them does not synchronize with the GPU."""

    cond: tuple[int, ...]

    def process_cond(self, batch_size: int, **kwargs: object) -> "CaptionLengths":
        repeats = -(-batch_size // len(self.cond))
        return CaptionLengths((self.cond * repeats)[:batch_size])

    def can_concat(self, other: CONDRegular) -> bool:
        return isinstance(other, CaptionLengths)

    def concat(self, others: list[CONDRegular]) -> tuple[int, ...]:
        return sum((other.cond for other in others), self.cond)


class TokenCount(CONDConstant):
    """The number of tokens of a caption with its pads; captions that may join decide whether those of others may."""

    cond: int

    def can_concat(self, other: CONDRegular) -> bool:
        return isinstance(other, TokenCount)

    def concat(self, others: list[CONDRegular]) -> int:
        return max([self.cond, *(other.cond for other in others)])


class ReferenceCond(CONDList):
    """Tensors of the reference images; all steps of a run get the same objects."""

    cond: list[Tensor]

    def __init__(self, cond: list[Tensor], shared: dict[Any, list[Tensor]] | None = None) -> None:
        super().__init__(cond)
        self.shared: dict[Any, list[Tensor]] = {} if shared is None else shared

    def _copy_with(self, cond: list[Tensor]) -> "ReferenceCond":
        return ReferenceCond(self.shared.setdefault(tuple(each.shape for each in cond), cond), self.shared)

    def concat(self, others: list["ReferenceCond"]) -> list[Tensor]:
        key = tuple(id(tensor) for each in (self, *others) for tensor in each.cond)
        if key not in self.shared:
            self.shared[key] = super().concat(others)
        return self.shared[key]


def with_run_cache(caption: Tensor) -> Tensor:
    """A view of the caption with an empty run cache attached."""
    view = caption.view_as(caption)
    setattr(view, RUN_CACHE, {})
    return view


def run_cache_of(caption: Tensor) -> RunCache | None:
    """What this run computed from exactly this tensor so far; None where nothing may be cached."""
    return getattr(caption, RUN_CACHE, None)


def cached(run_cache: RunCache | None, key: Hashable, compute: Callable[[], Result]) -> Result:
    """The run's result under `key`: from the cache, else computed now and cached if there is a cache."""
    if run_cache is None:
        return compute()
    if key not in run_cache:
        run_cache[key] = compute()
    return run_cache[key]


@dataclass(frozen=True, eq=False)
class TensorIdentity:
    """A tensor as part of a cache key: equal only to itself, and kept alive so that its id is not reused."""

    tensor: Tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorIdentity) and self.tensor is other.tensor

    def __hash__(self) -> int:
        return id(self.tensor)
