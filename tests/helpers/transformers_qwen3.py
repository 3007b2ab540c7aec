"""transformers' Qwen3 with a state dict's weights, and random weights for it."""

import torch
import transformers

import tiny
from zimage_core.config import TextConfig


def reference(config: TextConfig, state):
    model = transformers.Qwen3ForCausalLM(reference_config(config))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    return model.eval()


def random_state(config: TextConfig):
    generator = torch.Generator().manual_seed(3)
    empty = transformers.Qwen3ForCausalLM(reference_config(config)).state_dict()
    return {
        key: tiny.random_value(key, empty[key].shape, generator) for key in sorted(empty) if key != "lm_head.weight"
    }


def reference_config(config: TextConfig):
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
