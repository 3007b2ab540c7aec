"""Schedules from the specification, solvers against a flow with a closed form, guidance against its neutral values."""

import itertools
import math

import pytest
import torch

from zimage_core.sampling import SOLVERS, Guidance, count_nfe, denoise, shifted_schedule, start_latent

TABLES = {
    (8, 3.0): "1.000000 0.954545 0.900000 0.833333 0.750000 0.642857 0.500000 0.300000 0",
    (9, 3.0): "1.000000 0.960000 0.913043 0.857143 0.789474 0.705882 0.600000 0.461538 0.272727 0",
    (8, 6.0): "1.000000 0.976744 0.947368 0.909091 0.857143 0.782609 0.666667 0.461538 0",
    (28, 6.0): "1.00000 0.99387 0.98734 0.98039 0.97297 0.96503 0.95652 0.94737 0.93750 0.92683 0.91525 0.90265 0.88889"
    " 0.87379 0.85714 0.83871 0.81818 0.79518 0.76923 0.73973 0.70588 0.66667 0.62069 0.56604 0.50000 0.41860 0.31579"
    " 0.18182 0",
}


@pytest.mark.parametrize(("key", "table"), TABLES.items())
def test_the_shifted_schedule_is_the_published_table(key, table):
    expected = torch.tensor([float(x) for x in table.split()])
    torch.testing.assert_close(shifted_schedule(*key), expected, atol=6e-6, rtol=0)


@pytest.mark.parametrize(("strength", "steps"), [(1.0, 8), (0.6, 5), (0.5, 4), (0.01, 1), (0.0, 0)])
def test_strength_keeps_the_last_steps(strength, steps):
    schedule = shifted_schedule(8, 3.0, strength)
    assert len(schedule) == steps + 1
    assert torch.equal(schedule, shifted_schedule(8, 3.0)[8 - steps :])


@pytest.mark.parametrize(
    ("arguments", "word"), [((0, 3.0), "steps"), ((8, 0.0), "shift"), ((8, -1.0), "shift"), ((8, 3.0, 1.5), "strength")]
)
def test_impossible_schedules_are_refused_by_name(arguments, word):
    with pytest.raises(ValueError, match=word):
        shifted_schedule(*arguments)


MEAN, SPREAD = 0.7, 0.4  # data N(0.7, 0.4²): its flow is known exactly


def gaussian_velocity(x, sigma):
    """dx/dsigma of the flow between N(MEAN, SPREAD²) at sigma 0 and N(0, 1) at sigma 1."""
    variance = (1 - sigma) ** 2 * SPREAD**2 + sigma**2
    centred = x - (1 - sigma) * MEAN
    return -MEAN + (sigma - (1 - sigma) * SPREAD**2) / variance * centred


def gaussian_path(noise, sigma):
    """Where that flow takes a noise value at sigma."""
    return (1 - sigma) * MEAN + noise * math.sqrt((1 - sigma) ** 2 * SPREAD**2 + sigma**2)


def solve(name, steps, end=0.2):
    """Error of a solver between sigma 0.9 and `end`; away from 0, where every solver takes Euler's step."""
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(9, 1, 1, 1)
    sigmas = torch.linspace(0.9, end, steps + 1, dtype=torch.float64)
    start = gaussian_path(noise, 0.9)
    *_, last = denoise_double(start, sigmas, name)
    return (last - gaussian_path(noise, end)).abs().max().item()


def denoise_double(x, sigmas, name):
    """The loop's solver in float64, so that rounding does not hide the order."""
    solver = SOLVERS[name]()
    for sigma, sigma_next in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        x, _ = solver(gaussian_velocity, x, sigma, sigma_next)
        yield x


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("res_multistep", 2)])
def test_solvers_converge_with_their_order(name, order):
    coarse, fine = solve(name, 32), solve(name, 64)
    assert math.log2(coarse / fine) > order - 0.1


def test_res_multistep_uses_the_published_coefficients():
    """Step 1 of the 8-step Turbo schedule, from the specification: 0.942857, 0.093636, −0.036493."""
    sigmas = shifted_schedule(8, 3.0).tolist()
    solver = SOLVERS["res_multistep"]()
    pictures = iter([torch.full((1, 1, 1, 1), 10.0), torch.full((1, 1, 1, 1), 100.0)])
    x = torch.ones(1, 1, 1, 1)

    def velocity(x, sigma):
        return (x - next(pictures)) / sigma

    x, _ = solver(velocity, x, sigmas[0], sigmas[1])
    before = x.item()
    x, _ = solver(velocity, x, sigmas[1], sigmas[2])
    assert x.item() == pytest.approx(0.942857 * before + 0.093636 * 100 - 0.036493 * 10, abs=1e-4)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_straight_flow_is_solved_exactly_in_any_number_of_steps(name):
    picture, noise = torch.full((1, 16, 2, 2), 0.3), torch.ones(1, 16, 2, 2)
    *_, last = denoise(lambda x, sigma: noise - picture, noise, shifted_schedule(3, 3.0), solver=SOLVERS[name]())
    torch.testing.assert_close(last.x, picture)


@pytest.mark.parametrize(("name", "nfe"), [("euler", 8), ("res_multistep", 8), ("heun", 15)])
def test_steps_report_the_network_calls_really_made(name, nfe):
    calls = []

    def velocity(x, sigma):
        calls.append(sigma)
        return x

    *_, last = denoise(velocity, torch.ones(1, 16, 2, 2), shifted_schedule(8, 3.0), solver=SOLVERS[name]())
    assert last.nfe == len(calls) == nfe


@pytest.mark.parametrize(("name", "nfe"), [("euler", 8), ("res_multistep", 8), ("heun", 15)])
def test_nfe_is_known_before_the_run(name, nfe):
    schedule = shifted_schedule(8, 3.0)
    guided = count_nfe(schedule, solver=SOLVERS[name](), guidance=Guidance(cfg=4.0))
    assert (count_nfe(schedule, solver=SOLVERS[name]()), guided) == (nfe, 2 * nfe)
    assert count_nfe([1.0, 0.75, 0.4, 0.0], guidance=Guidance(cfg=4.0, truncation=0.5)) == 5
    assert count_nfe(shifted_schedule(8, 3.0, 0.0)) == 0


def test_guidance_doubles_the_network_calls_only_where_it_is_active():
    guidance = Guidance(cfg=4.0, truncation=0.5)
    steps = list(
        denoise(
            lambda x, s: x, torch.ones(1, 16, 2, 2), [1.0, 0.75, 0.4, 0.0], negative=lambda x, s: -x, guidance=guidance
        )
    )
    assert [step.nfe for step in steps] == [2, 4, 5]


def test_guidance_is_off_outside_its_interval():
    """Levels 1, 0.9, 0.5, 0.2: only 0.9 and 0.5 lie between 0.05 and 0.6 of the way."""
    calls = []
    guidance = Guidance(cfg=3.0, start=0.05, truncation=0.6)
    steps = list(
        denoise(
            lambda x, s: x,
            torch.ones(1, 16, 2, 2),
            [1.0, 0.9, 0.5, 0.2, 0.0],
            negative=lambda x, s: calls.append(s) or -x,
            guidance=guidance,
        )
    )
    assert calls == [0.9, 0.5]
    assert [step.nfe for step in steps] == [1, 3, 5, 6]
    velocities = [(before - after.x) / (after.sigma - after.sigma_next) / before for before, after in trace(steps)]
    assert [each.mean().item() for each in velocities] == pytest.approx([1, 5, 5, 1], rel=1e-5)  # x, or x + 2·(x + x)


def trace(steps):
    """Every step with the latent it began from."""
    return zip([torch.ones(1, 16, 2, 2), *(step.x for step in steps)], steps, strict=False)


def test_an_interval_without_ends_is_bit_equal_to_none_even_beyond_sigma_one(generator):
    """Stochastic samplers of ComfyUI may evaluate above sigma 1."""
    x, negative = torch.randn(2, 1, 16, 4, 4, generator=generator)
    levels = [1.02, 0.6, 0.0]
    plain, neutral = (
        [
            step.x
            for step in denoise(
                lambda x, s: torch.tanh(x), x, levels, negative=lambda x, s: negative, guidance=Guidance(**settings)
            )
        ]
        for settings in ({"cfg": 4.0}, {"cfg": 4.0, "start": 0.0, "truncation": 1.0})
    )
    assert all(torch.equal(a, b) for a, b in zip(plain, neutral, strict=True))
    guided = Guidance(cfg=4.0)(torch.tanh(x), negative)
    assert torch.equal(plain[0], x + (0.6 - 1.02) * guided)


def test_a_caller_who_stops_early_makes_no_further_network_calls():
    calls = []
    for step in denoise(lambda x, s: calls.append(s) or x, torch.ones(1, 16, 2, 2), shifted_schedule(8, 3.0)):
        if step.index == 2:
            break
    assert len(calls) == 3


def test_neutral_guidance_is_bit_equal_to_none(generator):
    x = torch.randn(1, 16, 4, 4, generator=generator)
    plain = [step.x for step in denoise(lambda x, s: torch.tanh(x), x, shifted_schedule(4, 3.0))]
    neutral = Guidance(cfg=1.0, normalization=0.0, truncation=1.0)
    guided = [
        step.x
        for step in denoise(
            lambda x, s: torch.tanh(x), x, shifted_schedule(4, 3.0), negative=lambda x, s: x, guidance=neutral
        )
    ]
    assert all(torch.equal(a, b) for a, b in zip(plain, guided, strict=True))


def test_guidance_is_the_references_with_scale_one_less(generator):
    positive, negative = torch.randn(2, 3, 16, 4, 4, generator=generator)
    reference_scale = 2.5
    expected = positive + reference_scale * (positive - negative)
    torch.testing.assert_close(Guidance(cfg=1 + reference_scale)(positive, negative), expected)


def test_normalisation_caps_the_length_of_each_item_and_touches_no_shorter_one(generator):
    positive, negative = torch.randn(2, 3, 16, 4, 4, generator=generator)
    negative[1] = positive[1]  # item 1 gains no length from guidance
    plain = Guidance(cfg=5.0)(positive, negative)
    capped = Guidance(cfg=5.0, normalization=1.0)(positive, negative)
    lengths = capped.flatten(1).norm(dim=1) / positive.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))
    assert torch.equal(capped[1], plain[1])
    torch.testing.assert_close(capped[0] / plain[0], (capped[0] / plain[0]).mean().expand(16, 4, 4))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cfg": 0.5}, "must be"),
        ({"cfg": 2.0, "normalization": -1.0}, "must be"),
        ({"cfg": 2.0, "start": 1.5}, "must start between"),
        ({"cfg": 2.0, "start": 0.6, "truncation": 0.4}, "would never act"),
    ],
)
def test_impossible_guidance_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Guidance(**settings)


def test_guidance_without_a_negative_prompt_is_refused():
    with pytest.raises(ValueError, match="negative"):
        next(denoise(lambda x, s: x, torch.ones(1, 16, 2, 2), [1.0, 0.0], guidance=Guidance(cfg=2.0)))


def test_a_run_starts_from_noise_alone_at_sigma_one(generator):
    noise, x0 = torch.randn(2, 1, 16, 4, 4, generator=generator)
    assert torch.equal(start_latent(noise, x0, 1.0), noise)
    assert torch.equal(start_latent(noise, x0, 0.0), x0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_nfe_in_closed_form_is_that_of_the_loop(name, cfg):
    settings = ((1, 3.0), (7, 6.0), (28, 6.0), (28, 1.0), (9, 3.0, 0.6), (5, 3.0, 0.0))
    schedules = [shifted_schedule(*each) for each in settings]
    schedules += [[1.0, 0.5], [0.9, 0.6, 0.3], [1.0], [], [1.0, 0.25, 0.0], [0.5, 0.0, 0.0]]  # 0 is not always the end
    ends = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    for sigmas in schedules:
        for start, truncation in itertools.combinations_with_replacement(ends, 2):
            guidance = Guidance(cfg=cfg, start=start, truncation=truncation)
            x, solver = torch.ones(1, 1, 1, 1), SOLVERS[name]()
            steps = denoise(still, x, sigmas, solver=solver, negative=still, guidance=guidance)
            made = max((step.nfe for step in steps), default=0)
            assert count_nfe(sigmas, solver=SOLVERS[name](), guidance=guidance) == made


def still(x, sigma):
    return torch.zeros_like(x)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_finite_number_is_refused(number):
    for name in ("cfg", "normalization", "start"):
        with pytest.raises(ValueError, match="guid|cfg"):
            Guidance(**{name: number})
    for shift, strength in ((number, 1.0), (3.0, number)):
        with pytest.raises(ValueError, match="shift|strength"):
            shifted_schedule(8, shift, strength)
    with pytest.raises(ValueError, match="guidance must end"):
        Guidance(truncation=float("nan"))
