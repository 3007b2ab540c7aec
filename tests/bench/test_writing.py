"""Ours, transformers and ComfyUI write the same text, and what they keep of it grows with the context."""

from dataclasses import replace

import torch

from bench.random_weights import Setup, Weights
from bench.writing import LAYOUTS, peak_bytes, rounds
from zimage_core.config import FLUX_VAE, NANO_DIT

CONFIG = replace(LAYOUTS["small"], vocab_size=512, dim=64, n_layers=2, ffn_dim=96)


@torch.inference_mode()
def test_the_systems_write_the_same_tokens_and_keep_a_key_and_a_value_of_each(comfyui, diffusers):
    from bench.systems.writers import SYSTEMS

    state = Weights(Setup(dit=NANO_DIT, text=CONFIG, vae=FLUX_VAE)).text
    systems = [system(CONFIG, state) for system in SYSTEMS]
    times = rounds(systems, list(range(40)), n_tokens=4, count=1)
    assert [len(each) for each in times] == [1, 1, 1] and all(each[0].following > 0 for each in times)
    row = 2 * CONFIG.n_layers * CONFIG.n_kv_heads * CONFIG.head_dim * 4
    for system in systems:
        (_, short), (_, long) = (peak_bytes(system, list(range(n)), 3) for n in (40, 440))
        assert 400 * row <= long - short < 3 * 400 * row
