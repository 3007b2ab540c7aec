"""The negative prompt of Z-Image NAG beside the joint sequence of one network call.

Its tokens run through the layers behind those of prompt and picture, and are taken off after each: patches of other
nodes and ControlNets see the sequence they know. Its positions end where the picture's begins, as if it were the
prompt, since rotations tell attention only how far two tokens are apart. Reference pictures belong to it as they do to
the prompt.

Letters: b batch, n m tokens, f width of the text embeddings, d model width.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ....zimage_core.attention import Attention
from ....zimage_core.conditioning.nag import Layout, NormalizedGuidance, attend_beside_negative
from ....zimage_core.kernels import Rope
from ....zimage_core.model import RunBlock, S3DiT, Stage
from ....zimage_core.model.condition import Condition
from ....zimage_core.model.sequence import caption_positions
from ....zimage_core.model.target_context import TargetContext
from .conditions import RunCache, TensorIdentity, cached

NAG_KEY = "zimage_nag"  # key of our patch in a MODEL; stock code ignores patches of unknown names
POSITIVE = 0  # ComfyUI's number for the prompt in `cond_or_uncond`


class NagPatch(Protocol):
    """What Z-Image NAG puts on a MODEL."""

    caption: Tensor  # (n, f)
    guidance: NormalizedGuidance

    def acts_at(self, sigma: Tensor) -> bool:
        """Whether at these noise levels (b,)."""
        ...


ContextOf = Callable[[Sequence[Tensor]], TargetContext]


class Prepared(NamedTuple):
    """What a run computes of the negative prompt before its first step."""

    tokens: Tensor  # (1 or b, m, d), refined
    rope: Rope  # of the joint sequence with the negative prompt behind it


class NegativePrompt:
    """The negative prompt's tokens in one network call."""

    def __init__(self, prepared: Prepared, guidance: NormalizedGuidance, layout: Layout, batch: int) -> None:
        self.tokens = prepared.tokens.expand(batch, -1, -1)  # (b, m, d), as the last layer left them
        self.rope = prepared.rope
        self.guidance = guidance
        self.layout = layout

    def attention(self, attend: Attention, attend_negative: Attention) -> Attention:
        """Attention of the joint sequence with the negative prompt behind it."""
        return partial(attend_beside_negative, self.guidance, self.layout, attend, attend_negative)

    def carried(self, run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A block as a function of the sequence (b, n, d) alone; the negative prompt goes through it, too."""

        def run_both(x: Tensor) -> Tensor:
            joint = run(torch.cat((x, self.tokens), dim=1))
            self.tokens = joint[:, x.shape[1] :]
            return joint[:, : x.shape[1]]

        return run_both

    def stage(self, stage: Stage) -> Stage:
        """The layers' stage for the longer sequence."""
        return stage._replace(rope=self.rope)


def negative_prompt(
    network: S3DiT,
    run: RunBlock,
    options: dict[str, Any],
    sigma: Tensor,
    condition: Condition,
    image_at: Sequence[float],
    run_cache: RunCache | None,
    context_of: ContextOf | None = None,
) -> NegativePrompt | None:
    """The negative prompt that acts on a call at noise levels sigma (b,), if any.

    `image_at` says where the picture of every item lies on the sequence axis; with references `context_of` makes the
    context of other captions of theirs.
    """
    patches: Sequence[NagPatch] = options.get("patches", {}).get(NAG_KEY, ())
    rows = guided_rows(options.get("cond_or_uncond", (POSITIVE,)), len(sigma))
    if not patches or not rows:
        return None
    patch = patches[-1]
    if not patch.acts_at(sigma):
        return None
    key = (
        NAG_KEY,
        TensorIdentity(patch.caption),
        tuple(image_at),
        condition.size,
        TensorIdentity(condition.joint_rope),
    )
    caption = patch.caption.to(condition.caption)
    if context_of is None:
        find = partial(prepare, network, run, caption, condition, image_at)
    else:
        find = partial(prepare_beside_references, network, context_of, caption, condition, image_at)
    prepared = cached(run_cache, key, find)
    layout = Layout(condition.image_start, prepared.tokens.shape[1], rows, condition.n_clean)
    return NegativePrompt(prepared, patch.guidance, layout, len(sigma))


def prepare(
    network: S3DiT, run: RunBlock, caption: Tensor, condition: Condition, image_at: Sequence[float]
) -> Prepared:
    """A negative caption (n, f) refined as a prompt is, and placed right before the picture of every item."""
    embedded = network.embed_caption(caption)[None]
    count, device = embedded.shape[1], embedded.device
    tokens = network.refine_captions(embedded, network.rope([caption_positions(count)], device), run)
    rope = network.rope([caption_positions(count, int(at) - count) for at in image_at], device)
    return Prepared(tokens, joined(condition.joint_rope, rope))


def prepare_beside_references(
    network: S3DiT, context_of: ContextOf, caption: Tensor, condition: Condition, image_at: Sequence[float]
) -> Prepared:
    """A negative caption (n, f) refined among the text of every item's references, and placed likewise."""
    context = context_of([caption] * len(image_at))
    rope = network.rope(context.before_image_at(image_at), caption.device)
    return Prepared(context.condition.caption, joined(condition.joint_rope, rope))


def joined(first: Rope, second: Rope) -> Rope:
    """Two rope tables one behind the other, stored column by column as each is."""
    batch = max(len(first), len(second))
    return torch.cat([each.mT.expand(batch, *each.shape[1:]) for each in (first, second)], dim=1).mT


def guided_rows(prompts: Sequence[int], batch: int) -> list[tuple[int, int]]:
    """The items of a batch that belong to the positive prompt, where each of `prompts` has the same number of items."""
    each = batch // len(prompts)
    rows: list[tuple[int, int]] = []
    for index, prompt in enumerate(prompts):
        if prompt == POSITIVE and rows and rows[-1][1] == index * each:
            rows[-1] = rows[-1][0], (index + 1) * each
        elif prompt == POSITIVE:
            rows.append((index * each, (index + 1) * each))
    return rows
