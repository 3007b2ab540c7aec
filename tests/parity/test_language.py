"""Writing text against transformers' `Qwen3ForCausalLM` on the same random weights, and on the built-in model's own."""

import pytest
import torch
from transformers_qwen3 import built_in_state, random_state, reference

import tiny
from zimage_core.checkpoints import TEXT_ENCODER, CheckpointError, load_text_encoder
from zimage_core.language import Sampling, Writer, load_language_head, load_language_model


def random_weights():
    return random_state(tiny.TEXT)


def language_model(state):
    return load_language_model(load_text_encoder(dict(state), torch.float32), dict(state), torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "n_tokens"), [(random_weights, 512), (built_in_state, 128)])
@torch.no_grad()
def test_greedy_tokens_and_their_logits_are_those_of_transformers_with_and_without_a_cache(weights, n_tokens):
    state = weights()
    ours, theirs = language_model(state), reference(TEXT_ENCODER.read_config(state), state)
    prompt = list(range(3, 20))
    cache = ours.new_cache()
    logits = [ours.logits(prompt, cache)]
    while len(logits) <= n_tokens:
        logits.append(ours.logits([int(logits[-1].argmax())], cache))
    expected = theirs.generate(
        torch.tensor([prompt]), max_new_tokens=n_tokens, do_sample=False, eos_token_id=None, pad_token_id=0
    )[0]
    assert torch.stack(logits[:-1]).argmax(-1).tolist() == expected[len(prompt) :].tolist()

    all_logits = theirs(expected[None]).logits[0]
    torch.testing.assert_close(torch.stack(logits), all_logits[len(prompt) - 1 :], atol=1e-4, rtol=0)
    for end in (1, 100, len(expected)):
        without_cache = ours.logits(expected[:end].tolist(), ours.new_cache())
        torch.testing.assert_close(without_cache, all_logits[end - 1], atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_repetition_penalty_changes_the_greedy_text_as_in_transformers():
    state = random_weights()
    theirs = reference(tiny.TEXT, state)
    prompt = [5, 6, 7, 5]
    expected = theirs.generate(
        torch.tensor([prompt]),
        max_new_tokens=48,
        do_sample=False,
        repetition_penalty=1.3,
        eos_token_id=None,
        pad_token_id=0,
    )[0].tolist()
    writer = Writer(language_model(state), prompt, Sampling(temperature=0.0, repetition_penalty=1.3), seed=0)
    assert [writer.next_token() for _ in range(48)] == expected[len(prompt) :]


def test_a_file_without_the_last_layer_or_of_another_encoder_is_refused_in_a_sentence():
    state = built_in_state()
    saved_by_comfyui = {key: tensor for key, tensor in state.items() if not key.startswith("model.layers.3.")}
    with pytest.raises(CheckpointError, match="3 of the 4 layers that writing text needs"):
        load_language_head(saved_by_comfyui)
    with pytest.raises(CheckpointError, match="another text encoder"):
        load_language_model(tiny.text_encoder(), state)
