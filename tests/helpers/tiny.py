"""Tiny networks with random weights by the rule of the specification's test vectors."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from zimage_core.config import DiTConfig, TextConfig, VAEConfig, VisionConfig
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder
from zimage_core.vision import Siglip2

DIT = DiTConfig(
    dim=64, n_layers=2, n_refiner_layers=2, n_heads=2, ffn_dim=170, cap_feat_dim=48, time_hidden_dim=1024, adaln_dim=64
)
OMNI_DIT = replace(DIT, siglip_feat_dim=40)
TEXT = TextConfig(vocab_size=640, dim=48, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=16, ffn_dim=96)
VAE = VAEConfig(encoder_widths=(16, 32, 32, 32), decoder_widths=(16, 32, 32, 32))
VISION = VisionConfig(dim=128, n_layers=2, n_heads=2, ffn_dim=80, n_positions=36)


def random_value(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """One tensor by the specification's rule: norms near one, pads small, everything else with unit fan-in."""
    drawn = torch.randn(shape, generator=generator)
    if "pad_token" in key:
        return 0.2 * drawn
    if len(shape) == 1 and ("norm" in key or key.endswith("embedder.0.weight")):
        return 1 + 0.1 * drawn
    fan_in = drawn[0].numel() if len(shape) > 2 else shape[-1]
    return drawn / fan_in**0.5


def fill(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give a network random weights from a seed, keys in sorted order."""
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    network.load_state_dict({key: random_value(key, state[key].shape, generator) for key in sorted(state)})
    return network.requires_grad_(False).eval()


def dit(seed: int = 0) -> S3DiT:
    network = fill(S3DiT(DIT), seed)
    assert isinstance(network, S3DiT)
    return network


def omni(seed: int = 0) -> S3DiT:
    network = fill(S3DiT(OMNI_DIT), seed)
    assert isinstance(network, S3DiT)
    return network


def text_encoder(seed: int = 0) -> Qwen3:
    network = fill(Qwen3(TEXT), seed)
    assert isinstance(network, Qwen3)
    return network


def vae(seed: int = 0) -> Autoencoder:
    network = fill(Autoencoder(VAE), seed)
    assert isinstance(network, Autoencoder)
    return network


def vision(seed: int = 0) -> Siglip2:
    network = fill(Siglip2(VISION), seed)
    assert isinstance(network, Siglip2)
    return network
