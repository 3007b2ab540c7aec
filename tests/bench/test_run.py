"""Who takes part and what happens to those who cannot, on a machine that has little."""

import sys
from dataclasses import replace

import pytest
import torch

from bench import run as module
from bench.cells import Cell
from bench.contest import Contestant
from bench.plan import FEWEST_PICTURES, Planned, plan_cells, tiny_setup
from bench.random_weights import Weights, draw_inputs
from bench.referee import describe, exact_result
from bench.run import able, measure_all, peers
from bench.systems.ours import Ours
from bench.timing import Pace
from bench.variants import VARIANTS, Variant

CELL = Cell(part="transformer", size=(64, 48), caption=20)
CPU = torch.device("cpu")


@pytest.fixture
def _no_diffusers(monkeypatch):
    """As where it is not installed."""
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for name in ("diffusers", "diffusers_networks"):
        monkeypatch.delitem(sys.modules, f"bench.systems.{name}", raising=False)
    monkeypatch.setattr("bench.referee.is_independent", lambda: False)


def test_peers_that_are_not_there_are_named_and_the_rest_goes_on(monkeypatch, tmp_path, _no_diffusers):
    monkeypatch.setenv("COMFYUI_DIR", str(tmp_path))
    told = []
    assert peers(CPU, told.append) == []
    assert len(told) == 2
    assert told[0].startswith("diffusers is left out: ") and "diffusers" in told[0].partition(": ")[2]
    assert told[1].startswith("ComfyUI is left out: ") and str(tmp_path) in told[1]


def test_without_diffusers_the_exact_answer_is_our_plain_one_in_float32_and_the_table_says_so(_no_diffusers):
    weights = Weights(tiny_setup(torch.bfloat16))
    exact = exact_result(draw_inputs(CELL, weights.setup), weights)
    wide = Weights(tiny_setup(torch.float32))
    wide.dit = {key: tensor.float() for key, tensor in weights.dit.items()}
    with torch.inference_mode():
        inputs = draw_inputs(CELL, weights.setup).cast(torch.float32)
        torch.testing.assert_close(exact, Ours(wide).transformer(inputs)(), atol=1e-5, rtol=1e-5)
    assert "ours" in describe() and "not installed" in describe()


def entry(name, failure=None):
    def enter():
        if failure == "enter":
            raise ValueError("no such width\nand much more")

        def run():
            if failure == "run":
                raise torch.OutOfMemoryError("out of memory")
            return torch.zeros(1)

        return Contestant(name, run)

    return name, enter


@pytest.mark.parametrize("failure, sentence", [("enter", "no such width"), ("run", "out of memory")])
def test_who_cannot_run_is_left_out_with_the_reason_and_the_others_stay(failure, sentence):
    told = []
    found = able([entry("ours"), entry("weak", failure), entry("strong")], CELL, told.append)
    assert [each.name for each in found] == ["ours", "strong"]
    assert told == [f"weak is left out of transformer, 64x48, 20 tokens: {sentence}"]
    with pytest.raises((ValueError, torch.OutOfMemoryError)):
        able([entry("ours", failure), entry("strong")], CELL, told.append)


def test_cells_for_which_no_time_is_left_are_named_and_not_begun():
    weights, told = Weights(tiny_setup()), []
    block = replace(CELL, part="block")
    planned = [Planned(cell=cell, rounds=1, fewest=1e3, seconds=1e-9) for cell in (CELL, block)]
    pace = Pace(seconds=1e-9, warmups=1, least=5)
    found = measure_all(planned, weights, [], ["plain kernels"], pace, 1e12, told.append)
    assert {each.inputs.cell for each in found} == {CELL}  # the first is measured whatever it takes
    assert [len(each.seconds) for each in found] == [1] * 3  # as many rounds as were planned
    assert [line.partition(":")[0] for line in told] == ["left out"] and "block" in told[0]


def test_pictures_need_fewer_rounds():
    """A picture is eight steps by itself."""
    setup, pace = tiny_setup(), Pace(seconds=0, warmups=3, least=15)
    cells = [CELL, replace(CELL, part="picture")]
    planned, _ = plan_cells(cells, setup, 3, 1e9, 1e12, pace)
    assert [each.rounds for each in planned] == [15, FEWEST_PICTURES]
    assert sum(each.seconds for each in planned) == pytest.approx(1e9)
    assert plan_cells(cells, setup, 3, 1e9, 1e12, replace(pace, least=3))[0][1].rounds == 3


def test_what_only_a_card_can_show_is_not_measured_elsewhere(monkeypatch):
    variants = {"for cards": Variant(needs_card=True), "for all": Variant()}
    monkeypatch.setattr(module, "VARIANTS", variants)
    weights = Weights(tiny_setup())
    names = [name for name, _ in module.entries(draw_inputs(CELL, weights.setup), weights, [], list(variants))]
    assert names == ["ours", "ours, whole forward", "ours, for all"]
    assert all(each.needs_card for each in VARIANTS.values() if each.is_captured)
