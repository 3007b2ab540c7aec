"""Step caching against flows with closed forms, against counts, and against the built-in model without it."""

import math
from itertools import pairwise

import pytest
import torch

from zimage_core.checkpoints import load_dit, load_text_encoder, load_vae
from zimage_core.nano.files import FOLDER
from zimage_core.sampling import SOLVERS, Guidance, StepCache, StepCacheState, denoise, shifted_schedule
from zimage_core.text import load_tokenizer, tokenize_chunks

SIGMAS = shifted_schedule(28, 6.0)
MEAN, SPREAD = 0.7, 0.4  # data N(0.7, 0.4²)


def gaussian_velocity(x, sigma):
    """dx/dsigma of the flow between N(MEAN, SPREAD²) at sigma 0 and N(0, 1) at sigma 1."""
    variance = (1 - sigma) ** 2 * SPREAD**2 + sigma**2
    return -MEAN + (sigma - (1 - sigma) * SPREAD**2) / variance * (x - (1 - sigma) * MEAN)


def noise(batch=1):
    return torch.randn(batch, 16, 4, 4, generator=torch.Generator().manual_seed(3))


def last(velocity, cache, *, sigmas=SIGMAS, x=None, **settings):
    *_, step = denoise(velocity, noise() if x is None else x, sigmas, cache=cache, **settings)
    return step


class Recorded:
    """A velocity function that records the noise levels it is called at."""

    def __init__(self, velocity):
        self.velocity = velocity
        self.sigmas = []

    def __call__(self, x, sigma):
        self.sigmas.append(sigma)
        return self.velocity(x, sigma)


@pytest.mark.parametrize("solver", SOLVERS)
def test_threshold_zero_is_bit_equal_to_no_cache_and_skips_nothing(solver):
    neutral = StepCache(threshold=0.0, start=0.0, end=1.0, max_skips=9)
    settings = {"negative": lambda x, s: torch.tanh(x), "guidance": Guidance(cfg=3.0)}
    plain = list(denoise(gaussian_velocity, noise(), SIGMAS, solver=SOLVERS[solver](), **settings))
    found = list(denoise(gaussian_velocity, noise(), SIGMAS, solver=SOLVERS[solver](), cache=neutral, **settings))
    assert all(torch.equal(a.x, b.x) for a, b in zip(plain, found, strict=True))
    assert [step.nfe for step in found] == [step.nfe for step in plain]


@pytest.mark.parametrize("solver", ["euler", "res_multistep"])
def test_on_a_straight_flow_caching_is_exact_and_skips_all_it_may(solver):
    picture, start = torch.full((1, 16, 4, 4), 0.3), noise()
    cache = StepCache(threshold=1e-6, start=0.0, end=1.0, max_skips=100)
    step = last(lambda x, sigma: start - picture, cache, solver=SOLVERS[solver]())
    torch.testing.assert_close(step.x, picture, atol=1e-5, rtol=0)
    assert step.nfe == 2  # the second tells how fast the velocity changes


def test_on_the_gaussian_flow_the_error_shrinks_to_nothing_with_the_threshold():
    exact = last(gaussian_velocity, StepCache()).x
    thresholds = (0.1, 0.05, 0.025, 0.0125, 0.006, 0.003, 1e-4)
    runs = [last(gaussian_velocity, StepCache(threshold=each, max_skips=100)) for each in thresholds]
    errors = [(run.x - exact).abs().mean().item() for run in runs]
    assert all(larger > 2 * smaller for larger, smaller in pairwise(errors))
    assert errors[-1] == 0
    nfe = [run.nfe for run in runs]
    assert nfe == sorted(nfe)
    assert nfe[0] == 7 and nfe[-1] == 28


@pytest.mark.parametrize(("max_skips", "nfe"), [(1, 17), (2, 14), (3, 12), (100, 7)])
def test_as_many_steps_run_as_the_limits_allow(max_skips, nfe):
    """28 steps: 0 to 4 and 26 to 27 always run (15% are 4.2 steps); of 5 to 25 every (max_skips + 1)th at least."""
    recorded = Recorded(gaussian_velocity)
    step = last(recorded, StepCache(threshold=1e6, max_skips=max_skips))
    always = SIGMAS[[0, 1, 2, 3, 4, 26, 27]].tolist()
    assert set(always) <= set(recorded.sigmas)
    between = 21 // (max_skips + 1)
    assert step.nfe == len(recorded.sigmas) == nfe == 7 + between


def test_latents_that_heun_evaluates_between_levels_can_be_skipped_too():
    recorded = Recorded(gaussian_velocity)
    step = last(recorded, StepCache(threshold=0.1), solver=SOLVERS["heun"]())
    assert step.nfe == len(recorded.sigmas) < 55
    assert SIGMAS[26].item() in recorded.sigmas and SIGMAS[27].item() in recorded.sigmas


def test_prompts_keep_their_own_velocities():
    """Two straight flows: guided at cfg 3, the velocity is 1 + 2·(1 + 2) = 7 everywhere."""
    cache = StepCache(threshold=1e-6, start=0.0, end=1.0, max_skips=100)
    settings = {"negative": lambda x, s: torch.full_like(x, -2.0), "guidance": Guidance(cfg=3.0)}
    step = last(lambda x, s: torch.ones_like(x), cache, **settings)
    torch.testing.assert_close(step.x, noise() - 7, atol=1e-4, rtol=0)
    assert step.nfe == 4


def test_prompts_are_skipped_together_when_the_one_that_changes_most_may_be():
    guidance, cache = Guidance(cfg=3.0), StepCache(threshold=0.1)
    positive, changing = Recorded(gaussian_velocity), Recorded(lambda x, sigma: torch.tanh(3 * x) - 5 * sigma**2)
    step = last(positive, cache, negative=changing, guidance=guidance)
    assert positive.sigmas == changing.sigmas
    assert step.nfe == 2 * len(positive.sigmas) < 56
    both_smooth = last(gaussian_velocity, cache, negative=gaussian_velocity, guidance=guidance)
    assert both_smooth.nfe < step.nfe


def test_a_prompt_that_joins_or_leaves_is_computed_when_it_joins():
    """Guidance from 0.1 to 0.4 of the way: the negative prompt is computed in its first two steps at least."""
    negative = Recorded(lambda x, sigma: torch.tanh(x))
    guidance = Guidance(cfg=3.0, start=0.1, truncation=0.4)
    inside = [sigma for sigma in SIGMAS.tolist() if 0.1 <= 1 - sigma <= 0.4]
    last(gaussian_velocity, StepCache(threshold=1e6, max_skips=100), negative=negative, guidance=guidance)
    assert negative.sigmas == inside[:2]


def test_a_prompt_that_left_no_longer_counts():
    """A changing negative prompt, used until 0.4 of the way, keeps the constant positive one from being skipped."""
    positive = Recorded(lambda x, sigma: torch.ones_like(x))
    settings = {
        "negative": lambda x, sigma: torch.full_like(x, math.sin(300 * sigma)),
        "guidance": Guidance(cfg=3.0, truncation=0.4),
    }
    last(positive, StepCache(threshold=0.01, start=0.0, end=1.0, max_skips=100), **settings)
    guided = [sigma for sigma in SIGMAS.tolist() if 1 - sigma <= 0.4]
    assert positive.sigmas == SIGMAS.tolist()[: len(guided) + 1]  # one step more: only then it is known to have left


def test_a_latent_of_another_size_starts_over():
    state = StepCacheState(cache=StepCache(threshold=1e6, start=0.0, end=1.0), sigmas=SIGMAS.tolist())
    for index, cells in enumerate((4, 4, 8, 8, 8)):
        state.begin_step(torch.ones(1, 16, cells, cells) * (1 + index), SIGMAS[index].item())
        assert state.evaluate(["prompt"], lambda cells=cells: torch.ones(1, 16, cells, cells)).shape[-1] == cells
    assert (state.nfe, state.n_reused) == (4, 1)


def test_the_image_of_a_batch_that_changes_most_decides():
    """One image on a straight flow beside one whose velocity oscillates."""

    def velocity(x, sigma):
        v = torch.ones_like(x)
        v[1] *= math.sin(40 * sigma)
        return v

    cache = StepCache(threshold=0.05)
    straight = last(lambda x, s: torch.ones_like(x), cache)
    mixed = last(velocity, cache, x=noise(2))
    assert straight.nfe < mixed.nfe


def test_a_prompt_evaluated_twice_in_a_step_has_two_histories():
    state = StepCacheState(cache=StepCache(threshold=1e6, start=0.0, end=1.0), sigmas=SIGMAS.tolist())
    for index in range(3):
        state.begin_step(noise() * (1 + index), SIGMAS[index].item())
        values = torch.full((1, 16, 4, 4), 1 + 0.1 * index), torch.full((1, 16, 4, 4), 2 + 0.1 * index)
        velocities = [state.evaluate(["prompt"], lambda each=each: each) for each in values]
    assert [velocity.mean().item() for velocity in velocities] == pytest.approx([1.1, 2.1])  # cached in the second step
    assert (state.nfe, state.n_reused) == (4, 2)


def test_the_cache_does_not_change_when_the_caller_writes_into_a_returned_velocity():
    state = StepCacheState(cache=StepCache(threshold=1e6, start=0.0, end=1.0), sigmas=SIGMAS.tolist())
    for index in range(4):
        state.begin_step(noise() * (1 + index), SIGMAS[index].item())
        velocity = state.evaluate(["prompt"], lambda: torch.ones(1, 16, 4, 4))
        assert (velocity == 1).all()
        velocity.zero_()
    assert state.n_reused == 2


def test_a_cleared_state_holds_no_tensor():
    state = StepCacheState(cache=StepCache(threshold=0.1), sigmas=SIGMAS.tolist())
    state.begin_step(noise(), 1.0)
    state.evaluate(["prompt"], noise)
    state.clear()
    assert not any(isinstance(value, torch.Tensor) for value in vars(state).values())
    assert not state.histories


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
        ({"start": 0.9, "end": 0.2}, "start and end"),
        ({"end": 1.5}, "start and end"),
        ({"max_skips": 0}, "in a row"),
    ],
)
def test_impossible_caches_are_refused(settings, word):
    with pytest.raises(ValueError, match=word):
        StepCache(**settings)


@pytest.fixture(scope="module")
def nano():
    """Velocities of a prompt and of none, and the decoder."""
    with torch.inference_mode():
        tokenizer, text = (
            load_tokenizer(FOLDER / "tokenizer"),
            load_text_encoder(FOLDER / "text_encoder", torch.float32),
        )
        dit, vae = load_dit(FOLDER / "transformer", torch.float32), load_vae(FOLDER / "vae", torch.float32)

        def velocity(prompt):
            captions = text.encode([chunk.ids for chunk in tokenize_chunks(tokenizer, prompt, 0)])
            return dit.flow(dit.prepare(captions, (8, 8)), SIGMAS.tolist())

        yield velocity("a large red heart in the middle on a white background"), velocity(""), vae.decode


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize(("threshold", "most_nfe", "least_psnr"), [(0.02, 54, 50), (0.05, 38, 45), (0.1, 30, 38)])
def test_nano_draws_nearly_the_same_with_fewer_network_calls(nano, threshold, most_nfe, least_psnr):
    """Base's settings, 56 NFE. Measured over 8 images: docs/log.md."""
    positive, negative, decode = nano
    start = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))

    def draw(cache):
        settings = {"negative": negative, "guidance": Guidance(cfg=4.0), "solver": SOLVERS["res_multistep"]()}
        step = last(positive, cache, x=start, **settings)
        return decode(step.x).clamp(-1, 1), step.nfe

    (expected, every), (found, some) = draw(StepCache()), draw(StepCache(threshold=threshold))
    psnr = -10 * ((found - expected) / 2).square().mean().log10().item()
    assert some <= most_nfe < every == 56
    assert psnr > least_psnr
