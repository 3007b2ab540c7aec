"""Bytes of weights and of activations, counted from the architecture before anything is loaded.

Activation counts follow the code of a block line by line: the most tensors that are alive at the same time. Tests
compare them with measured live bytes. Letters: d model width, f feed-forward width, s bytes per value.
"""

from dataclasses import dataclass
from typing import Literal

from ..config import TIME_FREQUENCIES, DiTConfig, TextConfig, VAEConfig

Precision = Literal["fp32", "bf16", "fp16", "int8", "fp8"]
VALUE_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1, "fp8": 1}
EIGHT_BIT: tuple[Precision, ...] = ("int8", "fp8")
SCALE_BYTES = 4  # an 8-bit matrix has one float32 scale per row


@dataclass(frozen=True, kw_only=True)
class TransformerBytes:
    """A transformer's weights, grouped by when they have to be on the device, as `streaming.divide` groups them."""

    layer: int  # the matrices of one layer
    n_layers: int
    every_step: int  # noise refiner, patch embedding, output layer, norms, pad tokens
    preparation: int  # needed only before the first step: caption (and SigLIP) refiner, timestep embedder, adaLN

    @property
    def total(self) -> int:
        """Bytes of all weights."""
        return self.every_step + self.preparation + self.n_layers * self.layer


def transformer_bytes(config: DiTConfig, layers: Precision, rest: Precision) -> TransformerBytes:
    """Bytes of the weights: `layers` is the precision of the layers' matrices, `rest` (16 or 32 bits) of all else."""
    d, size = config.dim, VALUE_BYTES[rest]
    matrices, norms = 4 * d * d + 3 * d * config.ffn_dim, 4 * d + 2 * config.head_dim
    scales = (5 * d + 2 * config.ffn_dim) * SCALE_BYTES if layers in EIGHT_BIT else 0
    patches = _linear(config.patch_dim, d) + _linear(d, config.patch_dim)
    pads = 2 * d if config.siglip_feat_dim is None else 3 * d
    every_step = patches + pads + config.n_refiner_layers * (matrices + norms) + config.n_layers * norms
    return TransformerBytes(
        layer=matrices * VALUE_BYTES[layers] + scales,
        n_layers=config.n_layers,
        every_step=every_step * size,
        preparation=(_refiner_parameters(config, matrices + norms) + _modulation_parameters(config)) * size,
    )


def _linear(n_in: int, n_out: int) -> int:
    """Parameters of a linear layer with a bias."""
    return n_in * n_out + n_out


def _refiner_parameters(config: DiTConfig, unmodulated_block: int) -> int:
    """Parameters of what embeds and refines captions, and in Omni SigLIP features, once per run."""
    widths = [width for width in (config.cap_feat_dim, config.siglip_feat_dim) if width is not None]
    blocks = config.n_refiner_layers * unmodulated_block
    return sum(width + _linear(width, config.dim) + blocks for width in widths)


def _modulation_parameters(config: DiTConfig) -> int:
    """Parameters of the timestep embedder and adaLN, whose outputs are tables once the noise levels are known."""
    hidden, width = config.time_hidden_dim, config.adaln_dim
    embedder = _linear(2 * TIME_FREQUENCIES, hidden) + _linear(hidden, width)
    blocks = (config.n_refiner_layers + config.n_layers) * _linear(width, 4 * config.dim)
    return embedder + blocks + _linear(width, config.dim)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of one item in a step. Both counts include reference tokens; each part is padded to a multiple of 32."""

    image: int
    joint: int  # image and caption
    batch: int = 1


def step_bytes(config: DiTConfig, tokens: Tokens, layers: Precision, rest: Precision) -> int:
    """Peak bytes of activations in one step, with the rope table.

    While the layers run, the image tokens that entered them are kept alive too.
    """
    d, f, s = config.dim, config.ffn_dim, VALUE_BYTES[rest]
    rotated = 2 * d * 4 + (2 * d * s if s < 4 else 0)  # rope of q and k in float32, then cast to their own dtype
    attention = max(
        5 * d * s + rotated,  # tokens, normed, q k v
        9 * d * s,  # tokens, normed, q k v, rotated q and k, attended, projected
    )
    feed_forward = 3 * d * s + 2 * f * s  # tokens before and after attention, normed; gate and up
    if layers in EIGHT_BIT:  # a GEMM's output is int32, is scaled in float32 and cast to the dtype of its input
        gemm = 8 + (s if s < 4 else 0)
        attention = max(attention, 2 * d * s + d + 3 * d * gemm)
        w3, w2_input = 3 * d * s + f * s + d + f * gemm, 3 * d * s + f * (2 * s + 4 + 1)
        feed_forward = max(w3, w2_input)  # during the GEMM of w3; while w2's input is quantized
    rope = config.head_dim // 2 * 4 * 4  # 2x2 matrices in float32
    return tokens.batch * (tokens.joint * max(attention, feed_forward) + tokens.image * d * s) + tokens.joint * rope


def text_bytes(config: TextConfig, precision: Precision) -> int:
    """Bytes of the text encoder's layers that run, without the embedding table, whose look-up the CPU can do."""
    wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    d = config.dim
    layer = 2 * d * wide + 2 * d * narrow + 3 * d * config.ffn_dim + 2 * d + 2 * config.head_dim
    return config.n_layers_run * layer * VALUE_BYTES[precision]


def embedding_bytes(config: TextConfig, precision: Precision) -> int:
    """Bytes of the text encoder's embedding table."""
    return config.vocab_size * config.dim * VALUE_BYTES[precision]


def encode_bytes(config: TextConfig, tokens: int, precision: Precision) -> int:
    """Peak bytes of activations while a caption is encoded: tokens, normed, gate, up and their product."""
    return tokens * (2 * config.dim + 3 * config.ffn_dim) * VALUE_BYTES[precision]


def decoder_bytes(config: VAEConfig, precision: Precision) -> int:
    """Bytes of the autoencoder's decoder."""
    widths, n_blocks = config.decoder_widths, config.decoder_blocks
    top = widths[-1]
    parameters = _conv(config.latent_channels, top) + 2 * _resnet(top, top) + 2 * top + 4 * _conv(top, top, side=1)
    for level, (before, width) in enumerate(zip(widths[1:] + widths[-1:], widths, strict=True)):
        parameters += _resnet(before, width) + (n_blocks - 1) * _resnet(width, width)
        parameters += _conv(width, width) if level else 0
    return (parameters + 2 * widths[0] + _conv(widths[0], 3)) * VALUE_BYTES[precision]


def _conv(n_in: int, n_out: int, side: int = 3) -> int:
    """Parameters of a convolution with a bias."""
    return n_in * n_out * side**2 + n_out


def _resnet(n_in: int, n_out: int) -> int:
    """Parameters of two norms, two convolutions and, where the width changes, a 1x1 shortcut."""
    shortcut = _conv(n_in, n_out, side=1) if n_in != n_out else 0
    return 2 * n_in + _conv(n_in, n_out) + 2 * n_out + _conv(n_out, n_out) + shortcut
