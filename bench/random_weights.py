"""Random weights every system shares, and the inputs they all see.

Letters: b batch, n tokens, c caption feature width, d model width, z latent channels, h w latent cells.

Matrices are normal with standard deviation 1/√(fan-in), 0.016 at the released width, so that activations stay finite at
any width; norm weights are about 1. Never zeros or constants: a GPU draws less power for them and looks faster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from zimage_core._shapes import Float
from zimage_core.config import DiTConfig, TextConfig, VAEConfig
from zimage_core.model import S3DiT
from zimage_core.vae import Autoencoder

from .cells import Cell

State = dict[str, Tensor]

FIRST_SPECIAL_TOKEN = 151643  # of Qwen's vocabulary; ComfyUI reads it as padding, so prompts are drawn below it


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The networks' widths, where they live and in which precision."""

    dit: DiTConfig
    text: TextConfig
    vae: VAEConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    seed: int = 0

    @property
    def depth(self) -> str:
        """How much of the released depth is here."""
        return (
            f"transformer {self.dit.n_layers} of 30 layers and {self.dit.n_refiner_layers} of 2 + 2 refiners, "
            f"text encoder {self.text.n_layers} of 36 layers, widths {self.dit.dim} and {self.text.dim}"
        )


class Weights:
    """State dicts under our own names, drawn when first asked for."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @cached_property
    def dit(self) -> State:
        """The transformer's."""
        return self._drawn(S3DiT(self.setup.dit, device="meta").state_dict())

    @cached_property
    def text(self) -> State:
        """The whole published encoder's, with the last layer and the final norm that only peers run."""
        return self._drawn(text_shapes(self.setup.text))

    @cached_property
    def vae(self) -> State:
        """The decoder's."""
        state = Autoencoder(self.setup.vae, device="meta").state_dict()
        return self._drawn({key: tensor for key, tensor in state.items() if key.startswith("decoder.")})

    def _drawn(self, shapes: Mapping[str, Tensor]) -> State:
        generator = torch.Generator(self.setup.device).manual_seed(self.setup.seed)
        return {key: self._value(key, shapes[key].shape, generator) for key in sorted(shapes)}

    def _value(self, key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
        drawn = torch.randn(shape, generator=generator, device=self.setup.device)
        if len(shape) == 1:
            is_norm = "norm" in key and key.endswith("weight") or key.endswith("embedder.0.weight")
            return drawn.mul_(0.1).add_(1.0 if is_norm else 0.0).to(self.setup.dtype)
        return drawn.div_(drawn[0].numel() ** 0.5).to(self.setup.dtype)


class Widened(Weights):
    """The same weights in float32: what the exact answer is computed from."""

    def __init__(self, narrow: Weights) -> None:
        super().__init__(narrow.setup)
        self.narrow = narrow

    @cached_property
    def dit(self) -> State:
        return _float32(self.narrow.dit)

    @cached_property
    def text(self) -> State:
        return _float32(self.narrow.text)

    @cached_property
    def vae(self) -> State:
        return _float32(self.narrow.vae)


def _float32(state: State) -> State:
    return {key: tensor.float() for key, tensor in state.items()}


def text_shapes(config: TextConfig) -> State:
    """Every tensor of a published Qwen3 without its tied head."""
    wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    layer = {
        "input_layernorm": (config.dim,),
        "post_attention_layernorm": (config.dim,),
        "self_attn.q_norm": (config.head_dim,),
        "self_attn.k_norm": (config.head_dim,),
        "self_attn.q_proj": (wide, config.dim),
        "self_attn.k_proj": (narrow, config.dim),
        "self_attn.v_proj": (narrow, config.dim),
        "self_attn.o_proj": (config.dim, wide),
        "mlp.gate_proj": (config.ffn_dim, config.dim),
        "mlp.up_proj": (config.ffn_dim, config.dim),
        "mlp.down_proj": (config.dim, config.ffn_dim),
    }
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens": (config.vocab_size, config.dim), "norm": (config.dim,)}
    shapes |= {f"layers.{index}.{name}": shape for index in range(config.n_layers) for name, shape in layer.items()}
    return {f"model.{name}.weight": torch.empty(shape, device="meta") for name, shape in shapes.items()}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a cell's systems are given."""

    cell: Cell
    latents: Float[Tensor, "b z h w"]
    captions: list[Float[Tensor, "n c"]]
    negatives: list[Float[Tensor, "n c"]]
    tokens: Float[Tensor, "b n d"]  # a block's input, caption first
    prompts: list[list[int]]
    negative_prompts: list[list[int]]
    sigma: float = 0.7

    def cast(self, dtype: torch.dtype) -> "Inputs":
        """The same in another precision."""
        return Inputs(
            cell=self.cell,
            latents=self.latents.to(dtype),
            captions=[each.to(dtype) for each in self.captions],
            negatives=[each.to(dtype) for each in self.negatives],
            tokens=self.tokens.to(dtype),
            prompts=self.prompts,
            negative_prompts=self.negative_prompts,
            sigma=self.sigma,
        )


def draw_inputs(cell: Cell, setup: Setup) -> Inputs:
    """A cell's inputs, the same for whoever asks."""
    generator = torch.Generator().manual_seed(setup.seed + 1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(setup.device, setup.dtype)

    def prompt() -> list[int]:
        words = min(setup.text.vocab_size, FIRST_SPECIAL_TOKEN)
        return torch.randint(words, (cell.caption,), generator=generator).tolist()

    count = range(cell.batch)
    return Inputs(
        cell=cell,
        latents=normal(cell.batch, setup.dit.in_channels, *cell.cells),
        captions=[normal(cell.caption, setup.dit.cap_feat_dim) for _ in count],
        negatives=[normal(cell.caption, setup.dit.cap_feat_dim) for _ in count],
        tokens=normal(cell.batch, cell.caption_tokens + cell.image_tokens, setup.dit.dim),
        prompts=[prompt() for _ in count],
        negative_prompts=[prompt() for _ in count],
    )
