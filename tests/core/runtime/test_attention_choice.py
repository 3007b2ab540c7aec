"""The choice of an attention: the fastest that agrees, measured once a shape; times are given, not taken."""

from types import SimpleNamespace

import pytest
import torch

from zimage_core.attention import Backend, sdpa, sdpa_on
from zimage_core.measure import RUNS, WARM_UPS, seconds
from zimage_core.runtime.attention_choice import FastestAttention


def made(generator, n=6):
    return [torch.randn(1, 2, n, 8, generator=generator) for _ in range(3)]


def fake(log, name, *, offset=0.0, fails=False):
    """A back-end that says when it runs."""

    def run(q, k, v, *, is_causal=False):
        log.append(name)
        if fails:
            raise RuntimeError("No available kernel")
        return sdpa(q, k, v, is_causal=is_causal) + offset

    return Backend(run, lambda q: True)


def timed(log, times):
    """Looks the time of whatever runs up in a table."""

    def measure(run):
        run()
        return times[log[-1]]

    return measure


def test_lengths_a_few_tokens_apart_share_a_measurement(generator):
    """Prompts of 32 to 416 tokens beside a picture of 4096, and pictures twice as long."""
    log = []
    backends = {name: fake(log, name) for name in ("slow", "fast")}
    attend = FastestAttention(backends, timed(log, {"slow": 3.0, "fast": 1.0}))
    for n in (4128, 4160, 4512, 8224):
        q, k, v = (torch.zeros(1, 1, n, 2) for _ in range(3))
        attend(q[:, :, :1], k, v)
    assert [signature.keys[2] for signature in attend.chosen] == [4096, 8192]


def test_a_back_end_that_refuses_another_length_makes_way_for_the_first(generator):
    def refuse(q, k, v, *, is_causal=False):
        if q.shape[2] == 65:
            raise RuntimeError("No available kernel")
        return sdpa(q, k, v, is_causal=is_causal)

    times = iter([2.0, 1.0])
    backends = {"plain": Backend(sdpa, lambda q: True), "picky": Backend(refuse, lambda q: True)}
    attend = FastestAttention(backends, lambda run: next(times))
    attend(*made(generator, n=64))
    assert list(attend.chosen.values()) == ["picky"]
    q, k, v = made(generator, n=65)
    assert torch.equal(attend(q, k, v), sdpa(q, k, v))
    assert list(attend.chosen.values()) == ["plain"]


def test_the_fastest_runs_from_the_first_call_on_and_each_shape_is_measured_once(generator):
    log = []
    backends = {name: fake(log, name) for name in ("slow", "fast", "middling")}
    attend = FastestAttention(backends, timed(log, {"slow": 3.0, "fast": 1.0, "middling": 2.0}))
    q, k, v = made(generator)
    assert torch.equal(attend(q, k, v), sdpa(q, k, v))
    assert log[-1] == "fast"
    log.clear()
    attend(q, k, v)
    assert log == ["fast"]
    attend(*made(generator, n=7))
    assert set(log[1:]) == {"slow", "fast", "middling"}
    assert set(attend.chosen.values()) == {"fast"}
    log.clear()
    attend(q, k, v, is_causal=True)
    assert len(log) > 1


@pytest.mark.parametrize("flaw", [{"offset": 1.0}, {"offset": float("nan")}, {"fails": True}])
def test_a_faster_one_that_is_wrong_or_refuses_is_never_chosen(generator, flaw):
    log = []
    backends = {"plain": fake(log, "plain"), "flawed": fake(log, "flawed", **flaw)}
    attend = FastestAttention(backends, timed(log, {"plain": 2.0, "flawed": 1.0}))
    q, k, v = made(generator)
    assert torch.equal(attend(q, k, v), sdpa(q, k, v))
    assert list(attend.chosen.values()) == ["plain"]


def test_running_out_of_memory_is_passed_on(generator):
    def run(q, k, v, *, is_causal=False):
        raise torch.OutOfMemoryError

    attend = FastestAttention({"plain": Backend(sdpa, lambda q: True), "greedy": Backend(run, lambda q: True)})
    with pytest.raises(torch.OutOfMemoryError):
        attend(*made(generator))


def test_where_one_back_end_is_supported_nothing_is_measured(generator):
    def never(run):
        raise AssertionError

    attend = FastestAttention(measure=never)
    q, k, v = made(generator)
    assert torch.equal(attend(q, k, v), sdpa(q, k, v))
    assert list(attend.chosen.values()) == ["sdpa"]


def test_a_kernel_asked_for_by_name_computes_the_same(generator):
    from torch.nn.attention import SDPBackend

    q, k, v = made(generator)
    torch.testing.assert_close(sdpa_on(SDPBackend.MATH)(q, k, v), sdpa(q, k, v), atol=1e-6, rtol=1e-5)


def test_a_measurement_leaves_the_warm_ups_out():
    runs = []
    assert seconds(lambda: runs.append(0) or torch.zeros(1)) >= 0
    assert len(runs) == WARM_UPS + RUNS


def test_what_takes_long_is_run_twice(monkeypatch):
    clock = iter([0.0, 5.0, 5.0, 5.5])  # with a start of its own in the first run
    monkeypatch.setattr("zimage_core.measure.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert seconds(lambda: torch.zeros(1)) == 0.5
