"""Writing with streamed layers: the tokens are those of the resident model, whatever its weights are stored in."""

import pytest
import torch
from transformers_qwen3 import random_state

import tiny
from zimage_core.checkpoints import load_text_encoder
from zimage_core.language import GREEDY, Writer, load_language_model
from zimage_core.language.placement import cache_bytes, placed, resident_layers, streamed, streamed_tensors
from zimage_core.runtime.offload.plan_inputs import PlanError


@pytest.fixture
def model():
    state = random_state(tiny.TEXT)
    return load_language_model(load_text_encoder(dict(state), torch.float32), dict(state), torch.float32)


@torch.no_grad()
def written(model, n_tokens=12):
    writer = Writer(model, list(range(3, 20)), GREEDY, seed=0)
    return [writer.next_token() for _ in range(n_tokens)]


def test_with_streamed_layers_the_same_tokens_come_and_the_weights_are_where_they_were(model):
    expected = written(model)
    before = [(tensor, tensor.data.clone()) for layer in model.layers for tensor in layer.parameters()]
    for resident, arena_limit in ((0, None), (1, 0), (len(model.layers), None)):
        with streamed(model, "cpu", resident=resident, arena_limit=arena_limit) as found:
            assert written(found) == expected
    assert all(torch.equal(tensor, value) for tensor, value in before)
    assert written(model) == expected


def test_as_many_layers_stay_as_the_limit_leaves_room_for(model):
    size = sum(tensor.nbytes for tensor in streamed_tensors(model.layers[0]))
    n, cache = len(model.layers), cache_bytes(model)
    assert resident_layers(model, cache + n * size, can_stream=False) == n
    assert resident_layers(model, cache + n * size - 1, can_stream=True) == n - 3
    assert resident_layers(model, cache + 2 * size, can_stream=True) == 0
    for can_stream, said in ((True, "writing with streamed blocks needs"), (False, "of RAM; choose a smaller file")):
        with pytest.raises(PlanError, match=said):
            resident_layers(model, cache + size, can_stream=can_stream)
    with pytest.raises(ValueError, match="the model has"), streamed(model, "cpu", resident=n + 1):
        pass


def test_without_a_limit_the_model_is_placed_whole(model):
    with placed(model, torch.device("cpu")) as found:
        assert written(found, 4) == written(model, 4)
