"""Against transformers' Qwen3 on the same random weights, and on the built-in model's own."""

import torch
from transformers_qwen3 import built_in_state, random_state, reference

import tiny
from zimage_core.checkpoints import TEXT_ENCODER, load_text_encoder


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


def test_the_built_in_encoder_is_a_published_qwen3_without_its_last_layer():
    check(built_in_state(), [tuple(range(3, 20)), (1, 2)])
