"""Attention over several captions, each heard in its own part of the picture, without a mask.

The joint sequence is [references, caption 1, ..., caption k, image]. A caption's tokens see that caption and the image
tokens that hear it; an image token sees all image tokens, and each caption by a weight: a weight w adds log(w) to the
scores, so 0 hides a caption and 1 leaves it as it is. Tokens of references, where there are any, are seen by all. Such
a bias has low rank, since k numbers of the query and k numbers of the key tell all of it in either direction:

    q k.T / sqrt(e) + query key.T  =  [q, query] [k, key].T, up to the scale

So 2k extra channels of every head carry it through the kernels of plain attention, and no n x n scores are stored.
Masks in attention: "Region-Aware Text-to-Image Generation" (arXiv 2411.02395), where they are boolean and dense.

Letters: b batch, h heads, n m tokens, e head width, k captions, p image tokens without pads, r = 2k, w added channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from .._shapes import Float
from ..attention import Attention

HIDDEN = -1000.0  # instead of log(0): exp of it is 0 beside any real score, and float16 holds it
KEY_SCALE = 16.0  # the keys' share of a product, so that neither factor leaves float16; a power of two
CHANNEL_MULTIPLE = 8  # of a head's width, which fused kernels ask for


class RegionBias(NamedTuple):
    """Factors of what is added to the attention scores of the joint sequence, query key.T, in float32."""

    query: Float[Tensor, "b n r"]
    key: Float[Tensor, "b m r"]


class BiasChannels(NamedTuple):
    """A `RegionBias` as channels beside those of a head, in its dtype, and what queries are multiplied with."""

    query: Float[Tensor, "b 1 n w"]
    key: Float[Tensor, "b 1 m w"]
    scale: float  # attention divides by the root of the wider head


def region_bias(
    lengths: Sequence[int], weights: Float[Tensor, "k p"], n_image: int, n_references: int = 0
) -> RegionBias:
    """The bias of k captions with `lengths` tokens, and an image of p tokens with pads up to `n_image`.

    `weights` >= 0 say how much each image token hears of each caption. A caption sees the image tokens that hear it, at
    most fully. Pads, and the tokens of references, hear what the image's tokens hear on average.
    """
    k, p = weights.shape
    average = weights.mean(1, keepdim=True)
    heard = torch.cat((weights, average.expand(k, n_image - p)), dim=1)  # (k, n_image)
    owner = torch.arange(k).repeat_interleave(torch.tensor(lengths))
    own = one_hot(owner, k).to(weights)  # (n_text, k)
    clean = pad(logarithm(average).T, (0, k)).expand(n_references, -1)
    query = torch.cat((clean, torch.cat(((1 - own) * HIDDEN, own), dim=1), pad(logarithm(heard).T, (0, k))))
    key = torch.cat((torch.zeros_like(clean), pad(own, (0, k)), pad(logarithm(heard.clamp(max=1)).T, (k, 0))))
    return RegionBias(query[None], key[None])


def logarithm(weights: Float[Tensor, "k n"]) -> Float[Tensor, "k n"]:
    """The logarithm of weights >= 0, at least `HIDDEN`."""
    return weights.log().clamp(min=HIDDEN)


def widened(head_width: int, rank: int) -> int:
    """A head's width with the channels of a bias of this rank, rounded up as fused kernels ask."""
    return -(-(head_width + rank) // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE


def bias_channels(bias: RegionBias, head_width: int, like: Tensor) -> BiasChannels:
    """The bias for heads of a width, in dtype and on device of `like`; computed once a run."""
    rank = bias.query.shape[-1]
    wide = widened(head_width, rank)
    fill = wide - head_width - rank
    query, key = bias.query * (wide**0.5 / KEY_SCALE), bias.key * KEY_SCALE
    return BiasChannels(
        *(pad(each, (0, fill))[:, None].to(like) for each in (query, key)), scale=(wide / head_width) ** 0.5
    )


def attend_with_bias(
    channels: BiasChannels,
    attend: Attention,
    q: Float[Tensor, "b h n e"],
    k: Float[Tensor, "b h m e"],
    v: Float[Tensor, "b h m e"],
) -> Float[Tensor, "b n h*e"]:
    """softmax(q k.T / sqrt(e) + bias) v, by an attention that knows no bias."""
    heads, width = q.shape[1], q.shape[-1]
    query, key = (each.expand(len(q), heads, -1, -1) for each in channels[:2])
    added = key.shape[-1]
    out = attend(torch.cat((q * channels.scale, query), dim=-1), torch.cat((k, key), dim=-1), pad(v, (0, added)))
    return out.unflatten(-1, (heads, width + added))[..., :width].flatten(-2)


def filled_bias(bias: RegionBias, n_text: int, longest: int, rank: int) -> RegionBias:
    """The bias with rows of zeros behind its `n_text` caption tokens up to `longest`, and columns up to `rank`."""

    def filled(rows: Float[Tensor, "b n r"]) -> Float[Tensor, "b m q"]:
        text, image = pad(rows, (0, rank - rows.shape[-1])).split((n_text, rows.shape[1] - n_text), dim=1)
        return torch.cat((pad(text, (0, 0, 0, longest - n_text)), image), dim=1)

    return RegionBias(filled(bias.query), filled(bias.key))
