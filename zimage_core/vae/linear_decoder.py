"""A linear decoder for previews: half-size pictures from latents by one convolution, fitted by least squares."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .._shapes import Float

NEIGHBOURHOOD = 3  # latent cells a side
PREVIEW_PIXELS = 4  # preview pixels a side that a latent cell becomes: half the picture's


def decode_linear(latents: Float[Tensor, "b c h w"], weights: Mapping[str, Tensor]) -> Float[Tensor, "b 3 4*h 4*w"]:
    """Half-size pictures, about [-1, 1], from model-space latents: 4x4 pixels from each cell and its neighbours.

    `weights` holds `weight` (48, c, 3, 3) and `bias` (48,), as `fit_linear_decoder` returns them.
    """
    weight, bias = weights["weight"].to(latents), weights["bias"].to(latents)
    return F.pixel_shuffle(F.conv2d(pad_edges(latents), weight, bias), PREVIEW_PIXELS)


def fit_linear_decoder(
    latents: Float[Tensor, "b c h w"], pictures: Float[Tensor, "b 3 4*h 4*w"]
) -> dict[str, Float[Tensor, "..."]]:
    """The weights of `decode_linear` with the least squared error over pairs, solved in float64."""
    patches = rearrange(F.unfold(pad_edges(latents), NEIGHBOURHOOD), "b i n -> (b n) i")
    inputs = F.pad(patches, (0, 1), value=1.0).double()  # the last column is the bias
    outputs = rearrange(F.pixel_unshuffle(pictures, PREVIEW_PIXELS), "b o h w -> (b h w) o").double()
    solution = torch.linalg.lstsq(inputs, outputs).solution.float()
    kernel = rearrange(solution[:-1], "(c k l) o -> o c k l", k=NEIGHBOURHOOD, l=NEIGHBOURHOOD)
    return {"weight": kernel.contiguous(), "bias": solution[-1].contiguous()}


def pad_edges(latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h+2 w+2"]:
    """The border repeated, so that a picture's edge is decoded as its inside."""
    return F.pad(latents, (1, 1, 1, 1), mode="replicate")
