"""All systems give the same numbers from the shared weights, part by part: only then are their times comparable."""

import pytest
import torch

from bench.cells import PARTS, Cell
from bench.drift import drift
from bench.plan import tiny_setup
from bench.random_weights import Weights, draw_inputs
from bench.referee import exact_result
from bench.systems.ours import Ours
from bench.variants import VARIANTS

# The two peers tie one width to two values, so each has a small network of its own beside ours.
WEIGHTS = {"diffusers": Weights(tiny_setup()), "comfyui": Weights(tiny_setup(time_hidden_dim=384))}

CELLS = {part: Cell(part=part, size=(96, 64), caption=20, steps=3) for part in PARTS}
CELLS |= {
    "transformer, guided": Cell(part="transformer", size=(64, 48), caption=33, batch=2, guided=True),
    "text, batch": Cell(part="text", size=(64, 64), caption=7, batch=2),
    "picture, guided": Cell(part="picture", size=(48, 64), caption=20, guided=True, steps=2),
}


def result(system, cell):
    with torch.inference_mode():
        return getattr(system, cell.part)(draw_inputs(cell, system.weights.setup))()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("peer", WEIGHTS)
def test_every_peer_gives_our_numbers(request, peer, name):
    system, cell = request.getfixturevalue(peer), CELLS[name]
    found = result(Ours(WEIGHTS[peer]), cell)
    assert found.isfinite().all() and found.std() > 0.1  # random weights that make something of their input
    torch.testing.assert_close(result(system(WEIGHTS[peer]), cell), found, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["transformer", "transformer, guided"])
def test_a_step_of_a_prepared_condition_is_the_whole_forward(name):
    ours, cell = Ours(WEIGHTS["diffusers"]), CELLS[name]
    with torch.inference_mode():
        whole = ours.forward(draw_inputs(cell, ours.weights.setup))()
    torch.testing.assert_close(whole, result(ours, cell), atol=1e-5, rtol=1e-5)  # guidance adds seven roundings up


@pytest.mark.parametrize("name", [part for part in PARTS if part != "picture"])
def test_the_exact_answer_is_ours_in_float32(diffusers, name):
    ours, cell = Ours(WEIGHTS["diffusers"]), CELLS[name]
    exact = exact_result(draw_inputs(cell, ours.weights.setup), ours.weights)
    found = drift(result(ours, cell), exact)
    assert found.relative_l2 < 1e-5 and found.cosine == pytest.approx(1)


@pytest.mark.parametrize("variant", [name for name, each in VARIANTS.items() if not each.is_lossy])
def test_a_lossless_variant_gives_our_numbers(variant):
    weights, cell = WEIGHTS["diffusers"], CELLS["transformer"]
    with VARIANTS[variant].scope():
        found = result(Ours(weights, VARIANTS[variant]), cell)
    torch.testing.assert_close(found, result(Ours(weights), cell), atol=1e-4, rtol=0)


def test_drift_of_a_scaled_result():
    x = torch.tensor([3.0, 4.0])
    assert drift(x * 1.5, x) == pytest.approx((0.5, 1.0))
    assert drift(torch.tensor([-4.0, 3.0]), x).cosine == pytest.approx(0)
    with pytest.raises(ValueError, match="beside an exact one"):
        drift(x[None], x)
