"""Against transformers' Qwen3 on the same random weights, and on the built-in model's own."""

import pytest
import torch

import tiny
from zimage_core.checkpoints import TEXT_ENCODER, load_text_encoder, read_tensors
from zimage_core.config import TextConfig
from zimage_core.nano.files import file_of

transformers = pytest.importorskip("transformers")


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


@torch.no_grad()
def check(state, prompts):
    config = TEXT_ENCODER.read_config(state)
    model, ours = reference(config, state), load_text_encoder(state, torch.float32)
    for prompt, embeddings in zip(prompts, ours.encode(prompts), strict=True):
        hidden = model(torch.tensor([prompt]), output_hidden_states=True).hidden_states
        assert len(hidden) == config.n_layers + 1
        torch.testing.assert_close(embeddings, hidden[-2][0], atol=1e-5, rtol=0)


def test_features_are_the_second_to_last_hidden_state():
    check(random_state(tiny.TEXT), [tuple(range(3, 20)), (600,), tuple(range(100, 164))])


def test_the_built_in_encoder_is_a_published_qwen3_file():
    state = {key: tensor.float() for key, tensor in read_tensors(file_of(TEXT_ENCODER)).items()}
    check(state, [tuple(range(3, 20)), (1, 2)])
