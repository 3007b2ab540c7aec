"""diffusers' and transformers' networks, built from this pack's configs and state dicts."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zimage_core.checkpoints import DIT_DIFFUSERS, VAE_DIFFUSERS
from zimage_core.config import DiTConfig, TextConfig, VAEConfig, norm_groups

# Any, because both libraries are only partly typed, with annotations stricter than their code.
diffusers: Any = importlib.import_module("diffusers")
transformers: Any = importlib.import_module("transformers")


def build_transformer(config: DiTConfig, state: Mapping[str, Tensor]) -> Any:
    """ZImageTransformer2DModel with our DiT's weights."""
    with torch.device("meta"):
        network = diffusers.ZImageTransformer2DModel(
            dim=config.dim,
            n_layers=config.n_layers,
            n_refiner_layers=config.n_refiner_layers,
            n_heads=config.n_heads,
            n_kv_heads=config.n_heads,
            cap_feat_dim=config.cap_feat_dim,
            siglip_feat_dim=config.siglip_feat_dim,
            axes_dims=list(config.axes_dims),
            axes_lens=[1536, 512, 512],
        )
    network.load_state_dict(DIT_DIFFUSERS.to_file(state), assign=True)
    return network.requires_grad_(False).eval()


def build_text_encoder(config: TextConfig, state: Mapping[str, Tensor], device: torch.device) -> Any:
    """Qwen3Model with the published encoder's weights."""
    with torch.device("meta"):
        network = transformers.Qwen3Model(_qwen3_config(config))
    network.load_state_dict({key.removeprefix("model."): tensor for key, tensor in state.items()}, assign=True)
    return _with_rotary(network, network, device)


def build_language_model(config: TextConfig, state: Mapping[str, Tensor], device: torch.device) -> Any:
    """Qwen3ForCausalLM with the published encoder's weights, its output matrix tied to the embedding table."""
    with torch.device("meta"):
        network = transformers.Qwen3ForCausalLM(_qwen3_config(config))
    network.load_state_dict(dict(state), strict=False, assign=True)
    network.lm_head.weight = network.model.embed_tokens.weight
    return _with_rotary(network, network.model, device)


def _qwen3_config(config: TextConfig) -> Any:
    return transformers.Qwen3Config(
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        intermediate_size=config.ffn_dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads,
        head_dim=config.head_dim,
        rms_norm_eps=config.norm_eps,
        rope_theta=config.rope_theta,
        tie_word_embeddings=True,
    )


def _with_rotary(network: Any, decoder: Any, device: torch.device) -> Any:
    """The network with its rotary frequencies, which are buffers outside the state dict and still on "meta"."""
    decoder.rotary_emb = type(decoder.rotary_emb)(decoder.config).to(device)
    return network.requires_grad_(False).eval()


def build_autoencoder(config: VAEConfig, state: Mapping[str, Tensor]) -> Any:
    """AutoencoderKL with our autoencoder's weights; without an encoder where the state dict has none."""
    with torch.device("meta"):
        network = diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(config.encoder_widths),
            up_block_types=("UpDecoderBlock2D",) * len(config.decoder_widths),
            block_out_channels=config.decoder_widths,
            layers_per_block=config.decoder_blocks - 1,
            latent_channels=config.latent_channels,
            norm_num_groups=norm_groups(config.decoder_widths),
            scaling_factor=config.scaling_factor,
            shift_factor=config.shift_factor,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
    if not any(key.startswith("encoder.") for key in state):
        network.encoder = torch.nn.Identity()
    network.load_state_dict(VAE_DIFFUSERS.to_file(state), assign=True)
    return network.requires_grad_(False).eval()
