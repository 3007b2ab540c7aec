"""Bytes of weights and of activations, counted from the architecture before anything is loaded.

Activations are what the code of a block keeps alive at once, counted line by line; tests hold the counts against
measured live bytes. Letters: d model width, f feed-forward width, s bytes of a value.
"""

from dataclasses import dataclass
from typing import Literal

from ..config import TIME_FREQUENCIES, DiTConfig, TextConfig, VAEConfig

Precision = Literal["fp32", "bf16", "fp16", "int8", "fp8"]
VALUE_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1, "fp8": 1}
EIGHT_BIT: tuple[Precision, ...] = ("int8", "fp8")
SCALE_BYTES = 4  # an 8-bit matrix has one float32 for every row


@dataclass(frozen=True, kw_only=True)
class TransformerBytes:
    """A transformer's weights by where they have to be when, as `streaming.divide` divides them."""

    layer: int  # the matrices of one of the layers
    n_layers: int
    staying: int  # on the device for as long as the transformer works: noise refiner, ends, norms
    leaving: int  # needed before the first step only: caption stream, tables of time

    @property
    def total(self) -> int:
        """All of them."""
        return self.staying + self.leaving + self.n_layers * self.layer


def transformer_bytes(config: DiTConfig, layers: Precision, rest: Precision) -> TransformerBytes:
    """Weights of a transformer whose layers have one precision and everything else another, of 16 or 32 bits."""
    d, size = config.dim, VALUE_BYTES[rest]
    matrices, norms = 4 * d * d + 3 * d * config.ffn_dim, 4 * d + 2 * config.head_dim
    scales = (5 * d + 2 * config.ffn_dim) * SCALE_BYTES if layers in EIGHT_BIT else 0
    ends = linear(config.patch_dim, d) + linear(d, config.patch_dim)
    pads = 2 * d if config.siglip_feat_dim is None else 3 * d
    staying = ends + pads + config.n_refiner_layers * (matrices + norms) + config.n_layers * norms
    return TransformerBytes(
        layer=matrices * VALUE_BYTES[layers] + scales,
        n_layers=config.n_layers,
        staying=staying * size,
        leaving=(_caption_stream(config, matrices + norms) + _time(config)) * size,
    )


def linear(inside: int, outside: int) -> int:
    """Values of a linear map with a bias."""
    return inside * outside + outside


def _caption_stream(config: DiTConfig, plain_block: int) -> int:
    """Values of what refines captions, and in Omni features of pictures, once per run."""
    widths = [width for width in (config.cap_feat_dim, config.siglip_feat_dim) if width is not None]
    return sum(width + linear(width, config.dim) + config.n_refiner_layers * plain_block for width in widths)


def _time(config: DiTConfig) -> int:
    """Values of what becomes tables once the noise levels are known."""
    hidden, width = config.time_hidden_dim, config.adaln_dim
    embedder = linear(2 * TIME_FREQUENCIES, hidden) + linear(hidden, width)
    blocks = (config.n_refiner_layers + config.n_layers) * linear(width, 4 * config.dim)
    return embedder + blocks + linear(width, config.dim)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What one step works on. References' tokens are among both counts, each part padded to a multiple of 32."""

    image: int
    joint: int  # with the caption
    batch: int = 1


def step_bytes(config: DiTConfig, tokens: Tokens, layers: Precision, rest: Precision) -> int:
    """The most activations alive in one step, the rope table included.

    While the layers run, the picture's tokens that entered them are alive too.
    """
    d, f, s = config.dim, config.ffn_dim, VALUE_BYTES[rest]
    turned = 2 * d * 4 + (2 * d * s if s < 4 else 0)  # queries and keys in float32, then in their own type
    attention = max(5 * d * s + turned, 9 * d * s)  # tokens, normed, q k v; or with turned q and k, attended, out
    feeding = 3 * d * s + 2 * f * s  # tokens before and after attention, normed; gate and up
    if layers in EIGHT_BIT:  # a product comes in int32, is scaled in float32 and returned in the type of its input
        product = 8 + (s if s < 4 else 0)
        attention = max(attention, 2 * d * s + d + 3 * d * product)
        feeding = max(3 * d * s + f * s + d + f * product, 3 * d * s + f * (2 * s + 4 + 1))  # of w3; making w2's input
    rope = config.head_dim // 2 * 4 * 4  # 2x2 matrices in float32
    return tokens.batch * (tokens.joint * max(attention, feeding) + tokens.image * d * s) + tokens.joint * rope


def text_bytes(config: TextConfig, precision: Precision) -> int:
    """Weights of the encoder's layers that run; the embedding table is a look-up, which main memory does as well."""
    wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    d = config.dim
    layer = 2 * d * wide + 2 * d * narrow + 3 * d * config.ffn_dim + 2 * d + 2 * config.head_dim
    return config.n_layers_run * layer * VALUE_BYTES[precision]


def embedding_bytes(config: TextConfig, precision: Precision) -> int:
    """Weights of the encoder's embedding table."""
    return config.vocab_size * config.dim * VALUE_BYTES[precision]


def encode_bytes(config: TextConfig, tokens: int, precision: Precision) -> int:
    """The most activations alive while a caption is encoded: tokens, normed, and three of the feed-forward."""
    return tokens * (2 * config.dim + 3 * config.ffn_dim) * VALUE_BYTES[precision]


def decoder_bytes(config: VAEConfig, precision: Precision) -> int:
    """Weights of the decoder."""
    widths, n_blocks = config.decoder_widths, config.decoder_blocks
    top = widths[-1]
    values = _conv(config.latent_channels, top) + 2 * _resnet(top, top) + 2 * top + 4 * _conv(top, top, side=1)
    for level, (before, width) in enumerate(zip(widths[1:] + widths[-1:], widths, strict=True)):
        values += _resnet(before, width) + (n_blocks - 1) * _resnet(width, width)
        values += _conv(width, width) if level else 0
    return (values + 2 * widths[0] + _conv(widths[0], 3)) * VALUE_BYTES[precision]


def _conv(inside: int, outside: int, side: int = 3) -> int:
    return inside * outside * side**2 + outside


def _resnet(before: int, width: int) -> int:
    shortcut = _conv(before, width, side=1) if before != width else 0
    return 2 * before + _conv(before, width) + 2 * width + _conv(width, width) + shortcut
