"""transformers' Qwen3 with a state dict's weights, and random weights for it."""

import torch
import transformers

import tiny
from zimage_core.checkpoints import TEXT_ENCODER, read_tensors
from zimage_core.config import NANO_TEXT, TextConfig
from zimage_core.nano.files import file_of


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


def built_in_state():
    """Nano's encoder as a whole Qwen3: with the last layer and norm, which encoding never runs and its file lacks."""
    state = {key: tensor.float() for key, tensor in read_tensors(file_of(TEXT_ENCODER)).items()}
    before, last = (f"model.layers.{NANO_TEXT.n_layers_run - more}." for more in (1, 0))
    assert not any(key.startswith(last) for key in state)
    layer = {key.replace(before, last): torch.zeros_like(value) for key, value in state.items() if before in key}
    return {"model.norm.weight": torch.ones(NANO_TEXT.dim), **state, **layer}
