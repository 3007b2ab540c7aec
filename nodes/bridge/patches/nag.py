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
from ..network.attach import attach, running_network
from ..network.negative_prompt import NAG_KEY
from ..network.overflow import ENCODER_OVERFLOWED, check_finite

DEFAULT = NormalizedGuidance(scale=3.0, tau=2.5, alpha=0.25)
DEFAULT_PERCENTS = (0.0, 0.75)
WHOLE_RUN = (0.0, 1.0)
EDGE = 1e-5  # of a noise level: rounding does not decide about a step that begins where the range begins or ends

Percents = tuple[float, float]  # of the schedule, from its start at pure noise


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
        start, end = self.sigmas
        return self.percents == WHOLE_RUN or end + EDGE < float(sigma[0]) <= start + EDGE

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
    start, end = percents
    if start > end:
        raise ValueError(
            f"Z-Image NAG would start at {start:g} of the run and end at {end:g}, which is before it. Set start "
            "percent to at most end percent."
        )
    caption = negative_caption(negative)
    is_on = guidance.is_on and start < end
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
    if not caption.any():
        raise ValueError(
            "The negative prompt of Z-Image NAG is all zeros, as Conditioning Zero Out makes it, so there is nothing "
            "to draw away from. Connect an encoded prompt that names what the picture should not have."
        )
    return caption


def check_width(caption: Tensor, network: Any) -> None:
    """Refuse a negative prompt of another model's text encoder."""
    width = network.cap_embedder[1].in_features
    if caption.shape[-1] != width:
        raise ValueError(
            f"The negative prompt of Z-Image NAG is {caption.shape[-1]} wide, but this model reads {width}. Encode it "
            "with the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano."
        )
