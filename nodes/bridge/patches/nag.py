"""Z-Image NAG's patch on a MODEL: a negative prompt, its guidance, and the part of the run in which it acts.

`network/negative_prompt.py` finds it at every call of the network.
"""

from collections.abc import Sequence
from typing import Any

import comfy.model_base
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.adapters.control.control import ALWAYS, SigmaRange
from ....zimage_core.conditioning.nag import NormalizedGuidance
from ....zimage_core.conditioning.part_of_run import WHOLE_RUN, Percents, begins_in, is_any
from ..network.attach import attach, running_network
from ..network.negative_prompt import NAG_KEY
from ..network.overflow import ENCODER_OVERFLOWED, check_finite

DEFAULT = NormalizedGuidance(scale=3.0, tau=2.5, alpha=0.25)
DEFAULT_PERCENTS = (0.0, 0.75)
ZEROED = (
    "The negative prompt is all zeros, as Conditioning Zero Out makes it: it names nothing to draw away from, so "
    "Z-Image NAG is off. Connect an encoded prompt."
)


class NagPatch:
    """A negative prompt (n, f) on a MODEL."""

    sigmas = ALWAYS  # of the percents, in the schedule of the latest run

    def __init__(self, caption: Tensor, guidance: NormalizedGuidance, percents: Percents) -> None:
        self.caption = caption
        self.guidance = guidance
        self.percents = percents

    def follow(self, model: Any) -> None:
        """Work out the range of sigmas in the schedule of a MODEL, which later nodes and the sampler may change."""
        sampling = model.get_model_object("model_sampling")
        self.sigmas = SigmaRange.of_percents(self.percents, sampling.percent_to_sigma)

    def acts_at(self, sigma: Tensor) -> bool:
        """Whether the step that begins at noise levels sigma (b,), all alike, lies before the end of the range.

        The noise level is read only if the range is limited, since reading it waits for the GPU.
        """
        return self.percents == WHOLE_RUN or begins_in(float(sigma[0]), self.sigmas)

    def before_sampling(self, executor: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """PREPARE_SAMPLING wrapper."""
        self.follow(model)
        return executor(model, *args, **kwargs)


def with_nag(model: Any, negative: Any, guidance: NormalizedGuidance, percents: Percents) -> Any:
    """A clone of a Z-Image MODEL from any loader that draws away from a negative prompt.

    It replaces the negative prompt of an earlier node. Where nothing would change the clone is the MODEL without one.
    """
    if not isinstance(model.model, comfy.model_base.Lumina2):
        raise ValueError(
            f"Z-Image NAG is made for Z-Image models, but the model here is {type(model.model).__name__}. Connect a "
            "Z-Image model, or use the stock NAGuidance node."
        )
    has_steps = is_any(percents, "Z-Image NAG")
    caption = negative_caption(negative)
    is_on = guidance.is_on and has_steps and bool(caption.any())
    clone = attach(model).clone() if is_on else model.clone()
    check_width(caption, running_network(clone))
    clone.model_options["transformer_options"].get("patches", {}).pop(NAG_KEY, None)
    clone.remove_wrappers_with_key(WrappersMP.PREPARE_SAMPLING, NAG_KEY)
    if is_on:
        patch = NagPatch(caption, guidance, percents)
        patch.follow(model)  # for calls of the network outside a sampling run
        clone.set_model_patch(patch, NAG_KEY)
        clone.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, NAG_KEY, patch.before_sampling)
    return clone


def negative_caption(negative: Sequence[Any]) -> Tensor:
    """The embeddings (n, f) of a CONDITIONING that is one prompt."""
    if len(negative) != 1 or len(negative[0][0]) != 1:
        count = len(negative) and sum(len(each[0]) for each in negative)
        raise ValueError(
            f"Z-Image NAG needs one negative prompt, but its negative input holds {count}. Write all that the picture "
            "should not have into one Z-Image Text Encode."
        )
    caption: Tensor = negative[0][0][0]
    check_finite(caption, "The negative prompt of Z-Image NAG", ENCODER_OVERFLOWED)
    return caption


def zeroed_note(negative: Sequence[Any]) -> str:
    """That a negative prompt names nothing, where it does."""
    return "" if negative_caption(negative).any() else ZEROED


def check_width(caption: Tensor, network: Any) -> None:
    """Refuse a negative prompt of another model's text encoder."""
    width = network.cap_embedder[1].in_features
    if caption.shape[-1] != width:
        raise ValueError(
            f"The negative prompt of Z-Image NAG is {caption.shape[-1]} wide, but this model reads {width}. Encode it "
            "with the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano."
        )
