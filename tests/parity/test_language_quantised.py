"""Quantised text encoders write what transformers writes with the values of their files, streamed or not."""

from dataclasses import replace

import pytest
import torch
from transformers_qwen3 import random_state, reference

import ggufs
import quantized_files
import tiny
from zimage_core.checkpoints import load_text_encoder
from zimage_core.language import GREEDY, Writer, load_language_model
from zimage_core.language.placement import streamed

N_TOKENS = 48
CONFIG = replace(tiny.TEXT, dim=64)  # GGUF packs rows of 32 values
PROMPT = list(range(3, 20))


def safetensors(quantizer):
    def made(state, folder):
        stored = quantized_files.quantize_state(state, quantized_files.block_linears(quantizer))
        return quantized_files.save(stored, folder / "encoder.safetensors"), stored.values

    return made


def gguf(state, folder):
    pytest.importorskip("gguf")
    made = ggufs.make(ggufs.llama_cpp(state), ggufs.like_city96("Q8_0"))
    file = ggufs.write(folder / "encoder.gguf", made.tensors, architecture="qwen3")
    back = dict(zip(ggufs.llama_cpp(state), state, strict=True))
    return file, {back[name]: value for name, value in made.values.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "store",
    [safetensors(quantized_files.fp8), safetensors(quantized_files.int8_rows), gguf],
    ids=["fp8", "int8", "gguf"],
)
@torch.no_grad()
def test_greedy_tokens_are_those_of_the_values_in_the_file(store, tmp_path):
    file, values = store(random_state(CONFIG), tmp_path)
    model = load_language_model(load_text_encoder(file, torch.float32), file, torch.float32)
    expected = reference(CONFIG, {key: value.float() for key, value in values.items()}).generate(
        torch.tensor([PROMPT]), max_new_tokens=N_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0
    )[0]
    with streamed(model, "cpu", resident=1) as in_slots:
        for writing in (model, in_slots):
            writer = Writer(writing, PROMPT, GREEDY, seed=0)
            assert [writer.next_token() for _ in range(N_TOKENS)] == expected[len(PROMPT) :].tolist()
