"""What a run of a Z-Image model is told beside its latents: native's conditions in the form our network reads best."""

from typing import Any

from comfy.conds import CONDConstant
from torch import Tensor

from ....zimage_core.model.sequence import padded_length
from .conds import CaptionCond, CaptionLengths, ReferenceCond, remembering

RULES_KEY = "zimage_omni_rules"  # in conditioning: which published reading of references it was made for
REFERENCES = {"ref_latents", "ref_contexts", "siglip_feats"}  # native's names

Conditions = dict[str, Any]


def conditions(model: Any, native: Conditions, **kwargs: Any) -> Conditions:
    """Native's conditions of a BaseModel, with captions so that prompts of one padded length run together.

    `kwargs` are what ComfyUI gave `extra_conds`.
    """
    out = {**native}
    caption = kwargs.get("cross_attn")
    if caption is not None:
        out["c_crossattn"] = CaptionCond(for_this_run(model, caption, **kwargs))
        out["caption_lengths"] = CaptionLengths((caption.shape[1],) * len(caption))
        out["num_tokens"] = CONDConstant(padded_length(caption.shape[1]))
    for name in REFERENCES & out.keys():
        placed = [each.to(device=kwargs.get("device"), dtype=model.get_dtype_inference()) for each in out[name].cond]
        out[name] = ReferenceCond(placed)
    if RULES_KEY in kwargs:
        out["omni_rules"] = CONDConstant(kwargs[RULES_KEY])
    return out


def for_this_run(model: Any, caption: Tensor, device: Any = None, hooks: Any = None, **kwargs: Any) -> Tensor:
    """The caption where and as the network wants it; hooks change weights during a run, so nothing is kept then."""
    caption = caption.to(device=device, dtype=model.get_dtype_inference())
    patcher = model.current_patcher
    is_steady = hooks is None and (patcher is None or (patcher.forced_hooks is None and not patcher.hook_patches))
    return remembering(caption) if is_steady else caption
