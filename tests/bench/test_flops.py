"""The FLOP formulas against the table in reference/performance.md and against PyTorch's FLOP counter."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.flops import (
    caption_flops,
    decode_flops,
    text_flops,
    workload_flops,
)
from bench.plan import tiny_setup
from bench.random_weights import Weights, draw_inputs
from bench.systems.ours import Ours
from bench.workloads import Workload
from zimage_core.config import FLUX_VAE, QWEN3_4B, TURBO_DIT
from zimage_core.runtime.flop_counts import step_attention_flops, step_flops, step_gemm_flops

# reference/performance.md, 2a, for 128 caption tokens: side, tokens, TFLOPs in total, of GEMMs, of attention
TABLE = [
    (512, 1152, 13.69, 13.05, 0.64),
    (768, 2432, 30.44, 27.55, 2.89),
    (1024, 4224, 56.58, 47.84, 8.74),
    (1280, 6528, 94.83, 73.94, 20.90),
    (1536, 9344, 148.7, 105.8, 42.84),
    (2048, 16512, 320.9, 187.0, 133.9),
]


@pytest.mark.parametrize(("side", "tokens", "total", "gemms", "attention"), TABLE)
def test_the_released_transformer_costs_what_the_reference_counted(side, tokens, total, gemms, attention):
    workload = Workload(part="transformer", size=(side, side), caption=128)
    n, m = workload.image_tokens, workload.caption_tokens
    assert n + m == tokens
    refined = caption_flops(TURBO_DIT, m)
    assert (step_flops(TURBO_DIT, n, m) + refined) / 1e12 == pytest.approx(total, rel=2e-3)
    assert (step_gemm_flops(TURBO_DIT, n, m) + refined) / 1e12 == pytest.approx(gemms, rel=2e-3)
    assert step_attention_flops(TURBO_DIT, n, m) / 1e12 == pytest.approx(attention, rel=6e-3)


@pytest.mark.parametrize(("tokens", "total"), [(32, 55.1), (64, 55.6), (256, 58.5), (512, 62.5)])
def test_longer_captions_cost_what_the_reference_counted(tokens, total):
    assert (step_flops(TURBO_DIT, 4096, tokens) + caption_flops(TURBO_DIT, tokens)) / 1e12 == pytest.approx(
        total, rel=1e-3
    )


@pytest.mark.parametrize(("tokens", "total"), [(64, 0.45), (128, 0.914), (512, 3.77)])
def test_the_released_text_encoder_costs_what_the_reference_counted(tokens, total):
    assert text_flops(QWEN3_4B, tokens) / 1e12 == pytest.approx(total, rel=1e-2)


@pytest.mark.parametrize(("side", "total"), [(512, 2.51), (1024, 10.47), (2048, 48.5)])
def test_the_released_decoder_costs_what_the_reference_counted(side, total):
    assert decode_flops(FLUX_VAE, (side // 8, side // 8)) / 1e12 == pytest.approx(total, rel=2e-3)


@torch.no_grad()
def counted(run):
    """FLOPs by PyTorch's counter, which does not cover fused CPU attention, so attention runs unfused."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("part", ["text", "decode"])
@pytest.mark.parametrize("batch", [1, 2])
def test_small_networks_cost_what_pytorch_counts(part, batch):
    setup = tiny_setup()
    workload = Workload(part=part, size=(96, 64), caption=20, batch=batch)
    run = getattr(Ours(Weights(setup)), part)(draw_inputs(workload, setup))
    assert counted(run) == workload_flops(workload, setup.dit, setup.text, setup.vae)


def test_a_small_transformer_costs_what_pytorch_counts():
    setup = tiny_setup()
    workload = Workload(part="transformer", size=(96, 64), caption=40)
    run = Ours(Weights(setup)).forward(draw_inputs(workload, setup))
    n, m = workload.image_tokens, workload.caption_tokens
    whole = step_flops(setup.dit, n, m) + caption_flops(setup.dit, m)
    # Padding is added to captions after the embedder, and to images between the embedder and the final layer.
    caption_pads, picture_pads = m - workload.caption, n - workload.latent_size[0] * workload.latent_size[1] // 4
    unpadded = caption_pads * setup.dit.cap_feat_dim + 2 * picture_pads * setup.dit.patch_dim
    assert counted(run) == whole - 2 * unpadded * setup.dit.dim
