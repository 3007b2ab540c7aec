"""Random weights and inputs shared by all systems.

Letters: b batch, n tokens, c text embedding width, d model width, z latent channels, h w latent height and width.

Matrices are normal with standard deviation 1/sqrt(fan-in), 0.016 at the released width, so activations stay finite at
any width; norm weights are about 1. Never zeros or constants: a GPU draws less power for them and clocks higher.
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

from .workloads import Workload

State = dict[str, Tensor]

FIRST_SPECIAL_TOKEN = 151643  # of Qwen's vocabulary; ComfyUI treats it as padding, so random prompts use smaller ids


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Network configs, device and dtype of a run."""

    dit: DiTConfig
    text: TextConfig
    vae: VAEConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    seed: int = 0

    @property
    def depth(self) -> str:
        """Depth and widths compared with the released model, for the report."""
        return (
            f"transformer {self.dit.n_layers} of 30 layers and {self.dit.n_refiner_layers} of 2 + 2 refiners, "
            f"text encoder {self.text.n_layers} of 36 layers, widths {self.dit.dim} and {self.text.dim}"
        )


class Weights:
    """Random state dicts under this pack's parameter names, created on first access."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @cached_property
    def dit(self) -> State:
        """State dict of the transformer."""
        return self._random_state(S3DiT(self.setup.dit, device="meta").state_dict())

    @cached_property
    def text(self) -> State:
        """State dict of the published text encoder, with the last layer and final norm that only other systems run."""
        return self._random_state(text_shapes(self.setup.text))

    @cached_property
    def vae(self) -> State:
        """State dict of the VAE decoder."""
        state = Autoencoder(self.setup.vae, device="meta").state_dict()
        return self._random_state({key: tensor for key, tensor in state.items() if key.startswith("decoder.")})

    def _random_state(self, shapes: Mapping[str, Tensor]) -> State:
        generator = torch.Generator(self.setup.device).manual_seed(self.setup.seed)
        return {key: self._value(key, shapes[key].shape, generator) for key in sorted(shapes)}

    def _value(self, key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
        value = torch.randn(shape, generator=generator, device=self.setup.device)
        if len(shape) == 1:
            is_norm = "norm" in key and key.endswith("weight") or key.endswith("embedder.0.weight")
            return value.mul_(0.1).add_(1.0 if is_norm else 0.0).to(self.setup.dtype)
        return value.div_(value[0].numel() ** 0.5).to(self.setup.dtype)


class Float32Weights(Weights):
    """The same weights in float32, for the reference result."""

    def __init__(self, source: Weights) -> None:
        super().__init__(source.setup)
        self.source = source

    @cached_property
    def dit(self) -> State:
        return _float32(self.source.dit)

    @cached_property
    def text(self) -> State:
        return _float32(self.source.text)

    @cached_property
    def vae(self) -> State:
        return _float32(self.source.vae)


def _float32(state: State) -> State:
    return {key: tensor.float() for key, tensor in state.items()}


def text_shapes(config: TextConfig) -> State:
    """Meta tensors of the published Qwen3 checkpoint, without the tied LM head."""
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
    """Inputs of one workload, the same for every system."""

    workload: Workload
    latents: Float[Tensor, "b z h w"]
    captions: list[Float[Tensor, "n c"]]
    negatives: list[Float[Tensor, "n c"]]
    tokens: Float[Tensor, "b n d"]  # block input, caption tokens first
    prompts: list[list[int]]
    negative_prompts: list[list[int]]
    sigma: float = 0.7

    def cast(self, dtype: torch.dtype) -> "Inputs":
        """The same inputs in another dtype."""
        return Inputs(
            workload=self.workload,
            latents=self.latents.to(dtype),
            captions=[each.to(dtype) for each in self.captions],
            negatives=[each.to(dtype) for each in self.negatives],
            tokens=self.tokens.to(dtype),
            prompts=self.prompts,
            negative_prompts=self.negative_prompts,
            sigma=self.sigma,
        )


def draw_inputs(workload: Workload, setup: Setup) -> Inputs:
    """Random inputs of a workload; deterministic."""
    generator = torch.Generator().manual_seed(setup.seed + 1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(setup.device, setup.dtype)

    def prompt() -> list[int]:
        n_ids = min(setup.text.vocab_size, FIRST_SPECIAL_TOKEN)
        return torch.randint(n_ids, (workload.caption,), generator=generator).tolist()

    items = range(workload.batch)
    return Inputs(
        workload=workload,
        latents=normal(workload.batch, setup.dit.in_channels, *workload.latent_size),
        captions=[normal(workload.caption, setup.dit.cap_feat_dim) for _ in items],
        negatives=[normal(workload.caption, setup.dit.cap_feat_dim) for _ in items],
        tokens=normal(workload.batch, workload.caption_tokens + workload.image_tokens, setup.dit.dim),
        prompts=[prompt() for _ in items],
        negative_prompts=[prompt() for _ in items],
    )
