"""Which systems are benchmarked, and what happens to unavailable or failing ones."""

import sys
from dataclasses import replace

import pytest
import torch

from bench import run as module
from bench.plan import MIN_PICTURE_ROUNDS, PlannedWorkload, plan_workloads, tiny_setup
from bench.random_weights import Weights, draw_inputs
from bench.reference import describe_reference, reference_result
from bench.run import measure_all, peers, working_runners
from bench.runner import Runner
from bench.systems.ours import Ours
from bench.timing import TimeBudget
from bench.variants import VARIANTS, Variant
from bench.workloads import Workload

WORKLOAD = Workload(part="transformer", size=(64, 48), caption=20)
CPU = torch.device("cpu")


@pytest.fixture
def _no_diffusers(monkeypatch):
    """Simulates that diffusers is not installed."""
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for name in ("diffusers", "diffusers_networks"):
        monkeypatch.delitem(sys.modules, f"bench.systems.{name}", raising=False)
    monkeypatch.setattr("bench.reference.is_independent", lambda: False)


def test_missing_systems_are_noted_and_the_rest_goes_on(monkeypatch, tmp_path, _no_diffusers):
    monkeypatch.setenv("COMFYUI_DIR", str(tmp_path))
    notes = []
    assert peers(CPU, notes.append) == []
    assert len(notes) == 2
    assert notes[0].startswith("diffusers is left out: ") and "diffusers" in notes[0].partition(": ")[2]
    assert notes[1].startswith("ComfyUI is left out: ") and str(tmp_path) in notes[1]


def test_without_diffusers_the_reference_is_our_float32_result_with_plain_kernels_and_the_report_says_so(_no_diffusers):
    weights = Weights(tiny_setup(torch.bfloat16))
    reference = reference_result(draw_inputs(WORKLOAD, weights.setup), weights)
    wide = Weights(tiny_setup(torch.float32))
    wide.dit = {key: tensor.float() for key, tensor in weights.dit.items()}
    with torch.inference_mode():
        inputs = draw_inputs(WORKLOAD, weights.setup).cast(torch.float32)
        torch.testing.assert_close(reference, Ours(wide).transformer(inputs)(), atol=1e-5, rtol=1e-5)
    assert "ours" in describe_reference() and "not installed" in describe_reference()


def factory(name, failure=None):
    def build():
        if failure == "build":
            raise ValueError("no such width\nand much more")

        def run():
            if failure == "run":
                raise torch.OutOfMemoryError("out of memory")
            return torch.zeros(1)

        return Runner(name, run)

    return name, build


@pytest.mark.parametrize("failure, sentence", [("build", "no such width"), ("run", "out of memory")])
def test_a_failing_runner_is_left_out_with_the_reason_and_the_others_stay(failure, sentence):
    notes = []
    found = working_runners([factory("ours"), factory("weak", failure), factory("strong")], WORKLOAD, notes.append)
    assert [each.name for each in found] == ["ours", "strong"]
    assert notes == [f"weak is left out of transformer, 64x48, 20 tokens: {sentence}"]
    with pytest.raises((ValueError, torch.OutOfMemoryError)):
        working_runners([factory("ours", failure), factory("strong")], WORKLOAD, notes.append)


def test_workloads_without_remaining_time_are_noted_and_skipped():
    weights, notes = Weights(tiny_setup()), []
    block = replace(WORKLOAD, part="block")
    planned = [
        PlannedWorkload(workload=workload, min_rounds=1, min_seconds=1e3, seconds=1e-9)
        for workload in (WORKLOAD, block)
    ]
    budget = TimeBudget(seconds=1e-9, warmups=1, min_rounds=5)
    found = measure_all(planned, weights, [], ["plain kernels"], budget, 1e12, notes.append)
    assert {each.inputs.workload for each in found} == {WORKLOAD}  # the first is always measured
    assert [len(each.seconds) for each in found] == [1] * 3  # as many rounds as were planned
    assert [line.partition(":")[0] for line in notes] == ["left out"] and "block" in notes[0]


def test_pictures_need_fewer_rounds():
    """Each run of a picture is eight steps."""
    setup, budget = tiny_setup(), TimeBudget(seconds=0, warmups=3, min_rounds=15)
    workloads = [WORKLOAD, replace(WORKLOAD, part="picture")]
    planned, _ = plan_workloads(workloads, setup, 3, 1e9, 1e12, budget)
    assert [each.min_rounds for each in planned] == [15, MIN_PICTURE_ROUNDS]
    assert sum(each.seconds for each in planned) == pytest.approx(1e9)
    assert plan_workloads(workloads, setup, 3, 1e9, 1e12, replace(budget, min_rounds=3))[0][1].min_rounds == 3


def test_variants_that_need_cuda_are_skipped_on_a_cpu(monkeypatch):
    variants = {"for GPUs": Variant(needs_cuda=True), "for all": Variant()}
    monkeypatch.setattr(module, "VARIANTS", variants)
    weights = Weights(tiny_setup())
    names = [
        name for name, _ in module.runner_factories(draw_inputs(WORKLOAD, weights.setup), weights, [], list(variants))
    ]
    assert names == ["ours", "ours, whole forward", "ours, for all"]
    assert all(each.needs_cuda for each in VARIANTS.values() if each.is_captured)
