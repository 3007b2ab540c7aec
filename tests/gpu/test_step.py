"""A block and a step of the released width: errors in 16 bits, and no CPU-GPU synchronization."""

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
LATENT_SIZE = (24, 40)
N_TOKENS = 45  # sequence length of the block test


@pytest.fixture(scope="module")
def dit():
    return gpu.transformer()


def norm_weights(dtype):
    rows = [randn(1, 1, gpu.SHALLOW_TURBO.dim, seed=seed, dtype=dtype) for seed in range(4)]
    return NormWeights(*rows, qk=randn(2, 1, gpu.SHALLOW_TURBO.head_dim, seed=4, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_a_block_in_16_bits_is_as_accurate_as_with_plain_kernels(dit, dtype):
    block = copy.deepcopy(dit.layers[0]).to(dtype)
    rope = rope_table(torch.arange(3.0 * N_TOKENS).reshape(N_TOKENS, 3), (32, 48, 48), 256.0)
    x, given = randn(2, N_TOKENS, gpu.SHALLOW_TURBO.dim, seed=5, dtype=dtype), norm_weights(dtype)
    truth = float32_on_cpu(block)(x.cpu().float(), rope, NormWeights(*(each.cpu().float() for each in given)))
    found = block(x.clone(), rope.to(gpu.DEVICE), given)
    with use_kernels(PLAIN):
        plain = block(x.clone(), rope.to(gpu.DEVICE), given)
    assert relative_error(found, truth) <= 1.1 * relative_error(plain, truth)
    assert relative_error(plain, truth) < 0.02


def velocity_of(dit, caption, **options):
    return dit.flow(dit.prepare([caption], LATENT_SIZE), SIGMAS, **options)


def test_a_step_in_bfloat16_is_as_accurate_as_with_plain_kernels(dit):
    latent, caption = randn(2, 16, *LATENT_SIZE, dtype=torch.float32), randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=1)
    truth = velocity_of(float32_on_cpu(dit), caption.cpu().float())(latent.cpu(), SIGMAS[1])
    found = velocity_of(dit, caption)(latent, SIGMAS[1])
    with use_kernels(PLAIN):
        plain = velocity_of(dit, caption)(latent, SIGMAS[1])
    assert found.dtype == latent.dtype
    assert relative_error(found, truth) <= 1.1 * relative_error(plain, truth)
    assert relative_error(plain, truth) < 0.05


def test_a_step_in_float32_is_that_of_the_cpu():
    dit = gpu.transformer(torch.float32)
    latent, caption = (
        randn(1, 16, *LATENT_SIZE, dtype=torch.float32),
        randn(9, gpu.SHALLOW_TURBO.cap_feat_dim, dtype=torch.float32),
    )
    truth = velocity_of(float32_on_cpu(dit), caption.cpu())(latent.cpu(), SIGMAS[1])
    assert relative_error(velocity_of(dit, caption)(latent, SIGMAS[1]), truth) < 1e-5


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_prepared_run_never_syncs(dit, solver):
    """Including guidance. Without synchronization, kernel launches overlap GPU work."""
    latent = randn(1, 16, *LATENT_SIZE, dtype=torch.float32)
    fields = [velocity_of(dit, randn(17, gpu.SHALLOW_TURBO.cap_feat_dim, seed=seed)) for seed in (1, 2)]

    def run():
        steps = denoise(
            fields[0], latent, SIGMAS, solver=SOLVERS[solver](), negative=fields[1], guidance=Guidance(cfg=4.0)
        )
        return [step.x for step in steps][-1]

    expected = run()
    with gpu.no_sync():
        found = run()
    assert torch.equal(found, expected)


def test_the_cpu_launches_a_step_asynchronously(dit):
    """Independent of PyTorch's sync debug mode: with long work queued on the GPU, a step returns immediately."""
    latent = randn(1, 16, *LATENT_SIZE, dtype=torch.float32)
    velocity = velocity_of(dit, randn(17, gpu.SHALLOW_TURBO.cap_feat_dim))
    velocity(latent, SIGMAS[1])
    torch.cuda.synchronize()
    torch.cuda._sleep(2_000_000_000)  # GPU clock cycles, about a second
    queued_work_done = torch.cuda.Event()
    queued_work_done.record()
    velocity(latent, SIGMAS[1])
    assert not queued_work_done.query()
