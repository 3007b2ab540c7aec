"""SigLIP 2's vision encoder with native aspect ratios (NaFlex): an image to one feature vector per patch.

Letters: b batch, c width, p patch side, gh gw patches down and across, s side of the position table, h heads,
e head width.

transformers' own module builds plain `torch.nn` layers, so neither ComfyUI's casting layers nor ours could be injected;
importing it took 2.6 s on top of torch's 1.2 s, and its processor's padding to 256 tokens is 6 % more work for an image
of 768x1280. Attribute names are the published keys; the pooling head they end with is not used by Z-Image.
"""

from collections.abc import Iterator

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Unpack

from .._shapes import Float
from ..attention import Attention, attention
from ..config import VisionConfig
from ..ops import TORCH, Factory, Layers, Ops


class Siglip2(nn.Module):
    """Pixels to features, without padding: all images of a batch have one size."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.config = config
        self.vision_model = VisionModel(config, ops=ops, **factory)

    def forward(self, pixels: Float[Tensor, "b 3 H W"], attend: Attention = attention) -> Float[Tensor, "b gh gw c"]:
        """Features of pixels in [-1, 1], whose sides are multiples of the patch: the last, normed hidden state."""
        x = pixels
        for x in self.hidden_states(pixels, attend):  # noqa: B007 - only the last is wanted
            pass
        return self.vision_model.post_layernorm(x)

    def hidden_states(
        self, pixels: Float[Tensor, "b 3 H W"], attend: Attention = attention
    ) -> Iterator[Float[Tensor, "b gh gw c"]]:
        """The embedded patches, then the output of every layer, before the last norm."""
        x = self.vision_model.embeddings(pixels)
        yield x
        grid = x.shape[1:3]
        x = x.flatten(1, 2)
        for layer in self.vision_model.encoder.layers:
            x = layer(x, attend)
            yield x.unflatten(1, grid)


class VisionModel(nn.Module):
    """Patch embeddings, encoder and last norm; the published keys call it `vision_model`."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings(config, ops=ops, **factory)
        self.encoder = VisionEncoder(config, ops=ops, **factory)
        self.post_layernorm = ops.LayerNorm(config.dim, eps=config.norm_eps, **factory)


class VisionEncoder(nn.Module):
    """The encoder layers; the published keys call it `encoder`."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.layers: Layers[EncoderLayer] = Layers(
            EncoderLayer(config, ops=ops, **factory) for _ in range(config.n_layers)
        )


class PatchEmbeddings(nn.Module):
    """Embedded patches plus learned position embeddings, resized from their square table to the image's grid."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.patch_size, self.side = config.patch_size, config.side
        self.patch_embedding = ops.Linear(config.patch_dim, config.dim, **factory)
        self.position_embedding = ops.Embedding(config.n_positions, config.dim, **factory)

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b gh gw c"]:
        p = self.patch_size
        patches = rearrange(pixels, "b c (gh p) (gw q) -> b gh gw (p q c)", p=p, q=p)
        x = self.patch_embedding(patches)
        return x + self.positions(x.shape[1], x.shape[2], x.device).to(x.dtype)

    def positions(self, rows: int, columns: int, device: torch.device) -> Float[Tensor, "gh gw c"]:
        """The position table resized to a grid, in float32; unchanged at its own size."""
        table = self.position_embedding(torch.arange(self.side**2, device=device)).float()
        square = rearrange(table, "(r s) c -> 1 c r s", s=self.side)
        resized = F.interpolate(square, (rows, columns), mode="bilinear", antialias=True)
        return rearrange(resized, "1 c gh gw -> gh gw c")


class EncoderLayer(nn.Module):
    """Pre-normed attention, then a pre-normed MLP."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.layer_norm1 = ops.LayerNorm(config.dim, eps=config.norm_eps, **factory)
        self.self_attn = SelfAttention(config, ops=ops, **factory)
        self.layer_norm2 = ops.LayerNorm(config.dim, eps=config.norm_eps, **factory)
        self.mlp = MLP(config, ops=ops, **factory)

    def forward(self, x: Float[Tensor, "b n c"], attend: Attention = attention) -> Float[Tensor, "b n c"]:
        x = x + self.self_attn(self.layer_norm1(x), attend)
        return x + self.mlp(self.layer_norm2(x))


class SelfAttention(nn.Module):
    """Attention with biased projections."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.q_proj = ops.Linear(config.dim, config.dim, **factory)
        self.k_proj = ops.Linear(config.dim, config.dim, **factory)
        self.v_proj = ops.Linear(config.dim, config.dim, **factory)
        self.out_proj = ops.Linear(config.dim, config.dim, **factory)

    def forward(self, x: Float[Tensor, "b n c"], attend: Attention = attention) -> Float[Tensor, "b n c"]:
        q, k, v = (
            rearrange(project(x), "b n (h e) -> b h n e", h=self.n_heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(attend(q, k, v))


class MLP(nn.Module):
    """fc2(gelu(fc1 x)), the gelu in its tanh form."""

    def __init__(self, config: VisionConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.fc1 = ops.Linear(config.dim, config.ffn_dim, **factory)
        self.fc2 = ops.Linear(config.ffn_dim, config.dim, **factory)

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
