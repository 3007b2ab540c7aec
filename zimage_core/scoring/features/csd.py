"""CSD, a vision transformer that tells styles (arXiv 2404.01292), from its weights as a safetensors file.

It is OpenAI's CLIP ViT with a projection of its own: keys `backbone.*` as OpenAI names them, and `last_layer_style`.
Letters: n pictures, t patches and the class token, c channels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ..._shapes import Float

PROJECTION = "last_layer_style"
CHANNELS_A_HEAD = 64
LAYER = "transformer.resblocks.{}."


class CsdNetwork:
    """Vectors of length 1 for pixels, by weights that keep their names."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.weights = {key.removeprefix("module.").removeprefix("backbone."): each for key, each in tensors.items()}
        self.n_layers = sum(key.endswith("attn.in_proj_weight") for key in self.weights)

    def __call__(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Of pictures as CLIP prepares them."""
        kernel = self.weights["conv1.weight"]
        patches = F.conv2d(pixels, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
        first = self.weights["class_embedding"].expand(len(pixels), 1, -1)
        x = self._norm(torch.cat([first, patches], 1) + self.weights["positional_embedding"], "ln_pre")
        for layer in map(LAYER.format, range(self.n_layers)):
            x = x + self._attention(self._norm(x, f"{layer}ln_1"), layer)
            wide = self._linear(self._norm(x, f"{layer}ln_2"), f"{layer}mlp.c_fc")
            x = x + self._linear(wide * torch.sigmoid(1.702 * wide), f"{layer}mlp.c_proj")
        return F.normalize(self._norm(x[:, 0], "ln_post") @ self.weights[PROJECTION], dim=-1)

    def _attention(self, x: Float[Tensor, "n t c"], layer: str) -> Float[Tensor, "n t c"]:
        weight, bias = (self.weights[f"{layer}attn.in_proj_{name}"] for name in ("weight", "bias"))
        q, k, v = (
            each.unflatten(-1, (-1, CHANNELS_A_HEAD)).transpose(1, 2) for each in F.linear(x, weight, bias).chunk(3, -1)
        )
        heads = F.scaled_dot_product_attention(q, k, v)
        return self._linear(heads.transpose(1, 2).flatten(2), f"{layer}attn.out_proj")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])
