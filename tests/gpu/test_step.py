"""A block and a step of the released width: near the truth in 16 bits, and never waiting for the card."""

import copy

import pytest
import torch

import gpu
from gpu import float32_on_cpu, randn, relative_error
from zimage_core.kernels import PLAIN, use_kernels
from zimage_core.model.block import NormWeights
from zimage_core.model.rope import rope_table
from zimage_core.sampling import SOLVERS, Guidance, denoise, shifted_schedule

SIGMAS = shifted_schedule(4, 3.0).tolist()
CELLS = (24, 40)
TURNED = 45  # tokens of a block's sequence


@pytest.fixture(scope="module")
def dit():
    return gpu.transformer()


def norm_weights(dtype):
    rows = [randn(1, 1, gpu.SHALLOW_TURBO.dim, seed=seed, dtype=dtype) for seed in range(4)]
    return NormWeights(*rows, qk=randn(2, 1, gpu.SHALLOW_TURBO.head_dim, seed=4, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_a_block_in_16_bits_is_as_near_the_truth_as_the_plain_one(dit, dtype):
    block = copy.deepcopy(dit.layers[0]).to(dtype)
    rope = rope_table(torch.arange(3.0 * TURNED).reshape(TURNED, 3), (32, 48, 48), 256.0)
    x, given = randn(2, TURNED, gpu.SHALLOW_TURBO.dim, seed=5, dtype=dtype), norm_weights(dtype)
    truth = float32_on_cpu(block)(x.cpu().float(), rope, NormWeights(*(each.cpu().float() for each in given)))
    found = block(x.clone(), rope.to(gpu.DEVICE), given)
    with use_kernels(PLAIN):
        plain = block(x.clone(), rope.to(gpu.DEVICE), given)
    assert relative_error(found, truth) <= 1.1 * relative_error(plain, truth)
    assert relative_error(plain, truth) < 0.02


def velocity_of(dit, caption, **choices):
    return dit.flow(dit.prepare([caption], CELLS), SIGMAS, **choices)


def test_a_step_in_bfloat16_is_as_near_the_truth_as_the_plain_one(dit):
    latent, caption = randn(2, 16, *CELLS, dtype=torch.float32), randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=1)
    truth = velocity_of(float32_on_cpu(dit), caption.cpu().float())(latent.cpu(), SIGMAS[1])
    found = velocity_of(dit, caption)(latent, SIGMAS[1])
    with use_kernels(PLAIN):
        plain = velocity_of(dit, caption)(latent, SIGMAS[1])
    assert found.dtype == latent.dtype
    assert relative_error(found, truth) <= 1.1 * relative_error(plain, truth)
    assert relative_error(plain, truth) < 0.05


def test_a_step_in_float32_is_that_of_the_processor():
    dit = gpu.transformer(torch.float32)
    latent, caption = (
        randn(1, 16, *CELLS, dtype=torch.float32),
        randn(9, gpu.SHALLOW_TURBO.cap_feat_dim, dtype=torch.float32),
    )
    truth = velocity_of(float32_on_cpu(dit), caption.cpu())(latent.cpu(), SIGMAS[1])
    assert relative_error(velocity_of(dit, caption)(latent, SIGMAS[1]), truth) < 1e-5


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_whole_run_never_waits_for_the_card_once_it_is_prepared(dit, solver):
    """Guidance included. Where the host never waits, launching is hidden behind the card's work."""
    latent = randn(1, 16, *CELLS, dtype=torch.float32)
    fields = [velocity_of(dit, randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=seed)) for seed in (1, 2)]

    def run():
        steps = denoise(
            fields[0], latent, SIGMAS, solver=SOLVERS[solver](), negative=fields[1], guidance=Guidance(cfg=4.0)
        )
        return [step.x for step in steps][-1]

    expected = run()
    with gpu.no_host_sync():
        found = run()
    assert torch.equal(found, expected)


def test_the_host_is_done_with_a_step_before_the_card_is(dit):
    """Beside PyTorch's own word for it: with a long piece of work ahead in the queue a step returns at once."""
    latent = randn(1, 16, *CELLS, dtype=torch.float32)
    velocity = velocity_of(dit, randn(17, gpu.SHALLOW_TURBO.cap_feat_dim))
    velocity(latent, SIGMAS[1])
    torch.cuda.synchronize()
    torch.cuda._sleep(2_000_000_000)  # about a second of the card's clock
    busy = torch.cuda.Event()
    busy.record()
    velocity(latent, SIGMAS[1])
    assert not busy.query()
