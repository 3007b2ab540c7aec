"""Frozen, self-checking configs of the networks, and the widths of the published ones with their sources.

Loaders read the fields from tensor shapes (`checkpoints.networks`). The constants below are for training, tests and
memory plans.
"""

from dataclasses import dataclass, replace
from math import isqrt
from typing import Literal

SEQUENCE_MULTIPLE = (
    32  # captions and images are padded to this many tokens with learned, attended pads (transformer config)
)
TIME_SCALE = 1000.0  # network time in [0, 1] enters the sinusoid as [0, 1000] (transformer config `t_scale`)
TIME_FREQUENCIES = 128  # half of the 256-wide sinusoid
MOST_CAPTION_TOKENS = 1504  # the most that pad within the 1536 positions of the published axes_lens, the picture's too
MAX_CAPTION_TOKENS = 512  # the reference pipeline's `max_sequence_length`


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Widths of an S3-DiT. All but the last three fields can be read from a checkpoint's shapes."""

    dim: int
    n_layers: int
    n_refiner_layers: int
    n_heads: int
    ffn_dim: int
    cap_feat_dim: int
    time_hidden_dim: int  # hidden width of the timestep MLP
    adaln_dim: int  # width of the time vector that modulates every block
    siglip_feat_dim: int | None = None  # width of the vision features of Omni and Edit; None without that branch
    in_channels: int = 16
    patch_size: int = 2
    norm_eps: float = 1e-5  # every RMSNorm, q and k included
    rope_theta: float = 256.0

    def __post_init__(self) -> None:
        if self.dim % self.n_heads:
            raise ValueError(f"dim {self.dim} is not a multiple of n_heads {self.n_heads}")
        if self.head_dim % 16:
            raise ValueError(
                f"head width {self.head_dim} must be a multiple of 16, so that rope splits it 1/4, 3/8, 3/8"
            )

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.dim // self.n_heads

    @property
    def axes_dims(self) -> tuple[int, int, int]:
        """Head channels rotated by the sequence, row and column position: 32, 48, 48 of the released 128."""
        quarter, three_eighths = self.head_dim // 4, self.head_dim * 3 // 8
        return quarter, three_eighths, three_eighths

    @property
    def patch_dim(self) -> int:
        """Values in one patch vector."""
        return self.in_channels * self.patch_size**2


@dataclass(frozen=True, kw_only=True)
class ControlConfig:
    """Widths of a Fun ControlNet, which are its model's, and how its release refines the control tokens."""

    dim: int
    n_layers: int  # control layers: 6 in 1.0, 15 in 2.0 and 2.1, 3 in 2.1 lite
    n_refiner_layers: int  # 0 in 2.0, whose control layers refine
    n_heads: int
    ffn_dim: int
    adaln_dim: int
    in_channels: int  # 16: a control latent; 33: also a mask and the latent of an image to inpaint
    # the blocks before the control layers: in 1.0 "plain" ones without hints, in 2.1 ones that give the model's noise
    # refiner hints, in 2.0 the control layers themselves, which then run twice
    refiner: Literal["plain", "control_noise_refiner", "control_layers"]
    patch_size: int = 2
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.in_channels not in (16, 33):
            raise ValueError(f"a ControlNet reads 16 or 33 channels, not {self.in_channels}")

    @property
    def patch_dim(self) -> int:
        """Values in one patch vector."""
        return self.in_channels * self.patch_size**2

    @property
    def blocks(self) -> DiTConfig:
        """The widths as the `DiTConfig` that blocks are built from; a ControlNet has no caption or time embedder."""
        return DiTConfig(
            dim=self.dim,
            n_layers=self.n_layers,
            n_refiner_layers=self.n_refiner_layers,
            n_heads=self.n_heads,
            ffn_dim=self.ffn_dim,
            cap_feat_dim=0,
            time_hidden_dim=0,
            adaln_dim=self.adaln_dim,
            norm_eps=self.norm_eps,
        )

    def hinted_layers(self, n_layers: int) -> tuple[int, ...]:
        """Indices of the model's layers that receive hints, evenly spaced: of 30 every 5th for 6 control layers."""
        return tuple(index * n_layers // self.n_layers for index in range(self.n_layers))


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Widths of a Qwen3 decoder used as text encoder. `n_layers` counts the file's layers; the last one never runs."""

    vocab_size: int
    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    ffn_dim: int
    norm_eps: float = 1e-6
    rope_theta: float = 1e6

    def __post_init__(self) -> None:
        if self.n_layers < 2:
            raise ValueError(f"a text encoder of {self.n_layers} layers has no second-to-last hidden state")
        if not self.n_heads or self.n_heads % self.n_kv_heads:
            raise ValueError(f"{self.n_heads} query heads do not share {self.n_kv_heads} key heads evenly")

    @property
    def n_layers_run(self) -> int:
        """Layers behind `hidden_states[-2]`, the features Z-Image was trained on."""
        return self.n_layers - 1


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """Widths of a FLUX-layout autoencoder, finest level first; each further level halves the picture."""

    encoder_widths: tuple[int, ...]
    decoder_widths: tuple[int, ...]
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    latent_channels: int = 16
    scaling_factor: float = 0.3611  # vae/config.json
    shift_factor: float = 0.1159

    def __post_init__(self) -> None:
        if len(self.encoder_widths) != len(self.decoder_widths):
            raise ValueError(f"encoder has {len(self.encoder_widths)} levels, decoder {len(self.decoder_widths)}")
        for widths in (self.encoder_widths, self.decoder_widths):
            if any(width % norm_groups(widths) for width in widths):
                raise ValueError(f"widths {widths} do not divide into {norm_groups(widths)} normalisation groups")

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along each side: 8 for FLUX."""
        return 2 ** (len(self.encoder_widths) - 1)


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """Widths of a SigLIP 2 vision tower that keeps aspect ratios (NaFlex)."""

    dim: int
    n_layers: int
    n_heads: int
    ffn_dim: int
    n_positions: int  # cells of the square of learned positions, and the most patches one picture is given
    patch_size: int = 16
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.dim % self.n_heads:
            raise ValueError(f"dim {self.dim} is not a multiple of n_heads {self.n_heads}")
        if not self.n_positions or self.side**2 != self.n_positions:
            raise ValueError(f"{self.n_positions} positions are not a square")

    @property
    def side(self) -> int:
        """Rows, and columns, of the square of positions."""
        return isqrt(self.n_positions)

    @property
    def patch_dim(self) -> int:
        """Values in one patch vector."""
        return 3 * self.patch_size**2


def vision_heads(dim: int) -> int:
    """Attention heads, which tensor shapes do not show: one for each 64 channels, at most 16.

    This holds for every published size: base 768 has 12, large 1024, so400m 1152 and giant 1536 have 16.
    """
    return max(1, min(16, dim // 64))


def norm_groups(widths: tuple[int, ...]) -> int:
    """GroupNorm groups, which tensor shapes do not show: four channels each, as FLUX, with 32 groups at width 128."""
    return max(1, widths[0] // 4)


# Tongyi-MAI/Z-Image-Turbo, transformer/config.json; Turbo and base have the same widths.
TURBO_DIT = BASE_DIT = DiTConfig(
    dim=3840,
    n_layers=30,
    n_refiner_layers=2,
    n_heads=30,
    ffn_dim=10240,  # int(dim / 3 * 8)
    cap_feat_dim=2560,
    time_hidden_dim=1024,
    adaln_dim=256,
)

# Z-Image-Omni-Base is announced, not public: the base's widths with SigLIP 2 so400m's 1152 features, according to
# the code of both diffusers and ComfyUI.
OMNI_DIT = replace(TURBO_DIT, siglip_feat_dim=1152)

# Qwen/Qwen3-4B, config.json.
QWEN3_4B = TextConfig(vocab_size=151936, dim=2560, n_layers=36, n_heads=32, n_kv_heads=8, head_dim=128, ffn_dim=9728)

# black-forest-labs/FLUX.1-schnell, ae.safetensors.
FLUX_VAE = VAEConfig(encoder_widths=(128, 256, 512, 512), decoder_widths=(128, 256, 512, 512))

# google/siglip2-so400m-patch16-naflex, the vision tower, as ComfyUI and DiffSynth-Studio reproduce its config.json.
SIGLIP2_SO400M = VisionConfig(dim=1152, n_layers=27, n_heads=16, ffn_dim=4304, n_positions=256)

# The built-in model: the same architectures, small enough for the repository (nano/README.md).
NANO_DIT = DiTConfig(
    dim=192,
    n_layers=6,
    n_refiner_layers=1,
    n_heads=6,
    ffn_dim=512,
    cap_feat_dim=128,
    time_hidden_dim=1024,
    adaln_dim=192,
)
NANO_OMNI_DIT = replace(NANO_DIT, siglip_feat_dim=48)  # the editing model
NANO_SIDE = 64  # pixels of the pictures it was trained with
NANO_LONGEST_SIDE = 80  # pixels at which most objects still come out; nano/README.md measures other sizes
NANO_TEXT = TextConfig(vocab_size=640, dim=128, n_layers=4, n_heads=4, n_kv_heads=2, head_dim=32, ffn_dim=384)
NANO_VAE = VAEConfig(
    encoder_widths=(16, 32, 48, 64), decoder_widths=(16, 32, 64, 96), encoder_blocks=1, decoder_blocks=2
)
NANO_VISION = VisionConfig(dim=48, n_layers=2, n_heads=1, ffn_dim=96, n_positions=16)
