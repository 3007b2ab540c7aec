"""Attention shared with reference pictures, which carries their style over without training.

The network runs once on each reference's clean latent at sigma 0, and the keys and values of its image tokens are kept,
layer by layer. In the steps that follow, every token of a new picture attends to these as well. Positions place the
references beside the picture, so that no token copies what lies at its own place.

Sharing attention between pictures: "Style Aligned Image Generation via Shared Attention" (arXiv 2312.02133). There the
reference is drawn along with the picture, at its noise level; here its tokens are clean, so one call of the network
serves the whole run.

Letters: b batch, h heads, n m queries and keys of the picture, r reference tokens, e head width.
"""

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..attention import Attention
from .region_bias import BiasChannels, RegionBias, attend_with_bias, bias_channels

Grid = tuple[int, int]  # patches down and across


class KeysAndValues(NamedTuple):
    """Of the image tokens of reference pictures, in one layer."""

    key: Float[Tensor, "b h r e"]  # b is 1 where all pictures share the references
    value: Float[Tensor, "b h r e"]


class SharedLayers:
    """Keys and values of reference pictures, by the index of their layer."""

    def __init__(self) -> None:
        self.layers: dict[int, KeysAndValues] = {}
        self.channels: dict[Hashable, BiasChannels] = {}  # the same in all layers and steps

    def recording(self, index: int, image: slice, attend: Attention) -> Attention:
        """`attend`, which leaves the keys and values of the tokens `image` here, behind those left before."""

        def keep(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
            new = KeysAndValues(k[:, :, image], v[:, :, image])
            known = self.layers.get(index)
            pairs = zip(known, new, strict=True) if known else ((each,) for each in new)
            self.layers[index] = KeysAndValues(*(torch.cat(pair, dim=2) for pair in pairs))
            return attend(q, k, v, is_causal=is_causal)

        return keep

    def sharing(self, index: int, strength: float, attend: Attention) -> Attention:
        """`attend`, whose queries also see the references of layer `index`.

        A reference token counts `strength` > 0 times: log(strength) is added to its scores.
        """
        reference = self.layers[index]

        def share(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
            key, value = (
                torch.cat((own, other.expand(len(own), -1, -1, -1)), dim=2)
                for own, other in zip((k, v), reference, strict=True)
            )  # (b, h, m + r, e)
            if strength == 1:
                return attend(q, key, value)
            sizes = (q.shape[2], key.shape[2], reference.key.shape[2])
            at = (*sizes, strength, q.shape[3], q.dtype, q.device)
            if at not in self.channels:
                self.channels[at] = bias_channels(last_keys_bias(*sizes, math.log(strength)), q.shape[3], q)
            return attend_with_bias(self.channels[at], attend, q, key, value)

        return share


def last_keys_bias(n: int, m: int, r: int, bias: float) -> RegionBias:
    """What adds `bias` to the scores of n queries with the last r of m keys, and 0 to the others."""
    added = torch.zeros(1, m, 1)
    added[:, m - r :] = bias
    return RegionBias(torch.ones(1, n, 1), added)


def offsets_beside(picture: Grid, references: Sequence[Grid]) -> list[Grid]:
    """By how many patches down and across each reference is moved: past the picture and the references before it."""
    offsets: list[Grid] = []
    down, across = picture
    for rows, columns in references:
        offsets.append((down, across))
        down, across = down + rows, across + columns
    return offsets


def shared_bytes(n_layers: int, n_tokens: int, width: int, itemsize: int) -> int:
    """Bytes of the keys and values of `n_tokens` reference tokens, each of `width` values in every layer."""
    return 2 * n_layers * n_tokens * width * itemsize
