"""All systems compute the same results from the shared weights, part by part, so their times are comparable."""

import pytest
import torch

from bench.deviation import deviation
from bench.plan import tiny_setup
from bench.random_weights import Weights, draw_inputs
from bench.reference import reference_result
from bench.systems.comfyui_int8 import ComfyUIInt8
from bench.systems.ours import Ours, OursInt8
from bench.variants import VARIANTS
from bench.workloads import PARTS, Workload

# diffusers and ComfyUI fix `time_hidden_dim` at different values, so each is compared on its own small setup.
WEIGHTS = {"diffusers": Weights(tiny_setup()), "comfyui": Weights(tiny_setup(time_hidden_dim=384))}

WORKLOADS = {part: Workload(part=part, size=(96, 64), caption=20, steps=3) for part in PARTS}
WORKLOADS |= {
    "transformer, guided": Workload(part="transformer", size=(64, 48), caption=33, batch=2, guided=True),
    "text, batch": Workload(part="text", size=(64, 64), caption=7, batch=2),
    "picture, guided": Workload(part="picture", size=(48, 64), caption=20, guided=True, steps=2),
}


def result(system, workload):
    with torch.inference_mode():
        return getattr(system, workload.part)(draw_inputs(workload, system.weights.setup))()


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("peer", WEIGHTS)
def test_every_system_computes_our_results(request, peer, name):
    system, workload = request.getfixturevalue(peer), WORKLOADS[name]
    found = result(Ours(WEIGHTS[peer]), workload)
    assert found.isfinite().all() and found.std() > 0.1  # the random weights give a non-trivial output
    torch.testing.assert_close(result(system(WEIGHTS[peer]), workload), found, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["block", "transformer"])
def test_comfyuis_int8_is_ours_but_for_the_rounding_of_its_inputs(comfyui, name):
    """Both hold the same 8-bit weights; what enters a layer is rounded to 8 bits by each in its own order."""
    weights, workload = WEIGHTS["comfyui"], WORKLOADS[name]
    ours, theirs = (result(system(weights), workload) for system in (OursInt8, ComfyUIInt8))
    exact = result(Ours(weights), workload)
    lost = deviation(theirs, exact).relative_l2
    assert 1e-3 < lost < 0.03
    assert deviation(ours, theirs).relative_l2 < lost


@pytest.mark.parametrize("name", ["transformer", "transformer, guided"])
def test_a_step_of_a_prepared_condition_is_the_whole_forward(name):
    ours, workload = Ours(WEIGHTS["diffusers"]), WORKLOADS[name]
    with torch.inference_mode():
        whole = ours.forward(draw_inputs(workload, ours.weights.setup))()
    torch.testing.assert_close(
        whole, result(ours, workload), atol=1e-5, rtol=1e-5
    )  # guidance accumulates seven rounding errors


@pytest.mark.parametrize("name", [part for part in PARTS if part != "picture"])
def test_the_reference_result_is_ours_in_float32(diffusers, name):
    ours, workload = Ours(WEIGHTS["diffusers"]), WORKLOADS[name]
    reference = reference_result(draw_inputs(workload, ours.weights.setup), ours.weights)
    found = deviation(result(ours, workload), reference)
    assert found.relative_l2 < 1e-5 and found.cosine == pytest.approx(1)


@pytest.mark.parametrize("variant", [name for name, each in VARIANTS.items() if not each.is_lossy])
def test_a_lossless_variant_computes_our_results(variant):
    weights, workload = WEIGHTS["diffusers"], WORKLOADS["transformer"]
    with VARIANTS[variant].scope():
        found = result(Ours(weights, VARIANTS[variant]), workload)
    torch.testing.assert_close(found, result(Ours(weights), workload), atol=1e-4, rtol=0)


def test_deviation_of_a_scaled_result():
    x = torch.tensor([3.0, 4.0])
    assert deviation(x * 1.5, x) == pytest.approx((0.5, 1.0))
    assert deviation(torch.tensor([-4.0, 3.0]), x).cosine == pytest.approx(0)
    with pytest.raises(ValueError, match="beside an exact one"):
        deviation(x[None], x)
