"""The public door of the library."""

from contextlib import suppress
from dataclasses import asdict, replace

import pytest
import torch
from PIL import ImageChops

import zimage_core
from zimage_core import generate, pipeline, run_plan
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.judging.checker import check, recognize
from zimage_core.quant import INT8
from zimage_core.request import model_folder
from zimage_core.runtime.offload import device_scope, placement
from zimage_core.runtime.offload.machine_memory import measure_machine
from zimage_core.runtime.offload.plan import make_plan
from zimage_core.runtime.offload.plan_inputs import RESERVE, Machine, Picture, PlanError
from zimage_core.runtime.offload.streaming import stream
from zimage_core.sampling import TURBO, StepCache
from zimage_core.vae import decode_budget_bytes

RED_HEART = Scene(shape="heart", colour="red", size="large", row="middle", column="middle", ground="white")


@pytest.mark.slow
def test_the_readmes_example_draws_what_it_says():
    [image] = generate("a large red heart in the middle on a white background", model="nano", seed=0)
    found = check(image, RED_HEART)
    assert all(asdict(found).values()), found


@pytest.mark.slow
def test_the_same_seed_draws_the_same_picture_and_another_seed_another():
    once, again, other = (generate("a blue star", steps=2, seed=seed)[0] for seed in (1, 1, 2))
    assert ImageChops.difference(once, again).getbbox() is None
    assert ImageChops.difference(once, other).getbbox() is not None


def test_steps_can_be_watched_and_a_preset_chosen():
    seen = []
    [image] = generate("a ring", preset=TURBO, steps=3, size=(96, 48), on_step=seen.append)
    assert image.size == (96, 48)
    assert [step.sigma_next for step in seen][-1] == 0
    assert seen[-1].nfe == 3


def test_a_folder_laid_out_as_diffusers_does_is_a_model(tmp_path):
    from zimage_core.nano.files import FOLDER

    (tmp_path / "my-model").symlink_to(FOLDER)
    direct = generate("a green square", steps=2, preset=TURBO)[0]
    by_folder = generate("a green square", steps=2, preset=TURBO, size=(64, 64), model=tmp_path / "my-model")[0]
    assert ImageChops.difference(direct, by_folder).getbbox() is None


@pytest.mark.slow
def test_bfloat16_draws_nearly_the_same():
    exact = generate("a large blue circle in the middle on white", steps=4)[0]
    rounded = generate("a large blue circle in the middle on white", steps=4, dtype=torch.bfloat16)[0]
    difference = ImageChops.difference(exact, rounded).convert("L")
    assert sum(difference.tobytes()) / len(difference.tobytes()) < 8


@pytest.mark.slow
@pytest.mark.parametrize("lever", [{"scheme": INT8}, {"cache": StepCache(threshold=0.05)}], ids=["int8", "cache"])
def test_levers_that_are_not_exact_draw_nearly_the_same_and_the_checker_finds_what_was_asked(lever):
    prompt = "a large red heart in the middle on a white background"
    exact, [image] = generate(prompt)[0], generate(prompt, **lever)
    difference = ImageChops.difference(exact, image).convert("L")
    assert 0 < sum(difference.tobytes()) / len(difference.tobytes()) < 4
    assert all(asdict(check(image, RED_HEART)).values())


def test_public_names_are_those_scripts_rely_on():
    assert set(zimage_core.__all__) >= {"load_dit", "load_text_encoder", "load_vae", "generate"}


@pytest.mark.slow
@pytest.mark.parametrize("instruction", ["make the circle red", "把圆变成红色"])
def test_an_instruction_changes_what_it_names_and_leaves_the_rest(instruction):
    before = Scene(shape="circle", colour="blue", size="large", row="middle", column="right", ground="white")
    [after] = generate(instruction, references=[render(before, 5)], seed=1)
    assert recognize(after) == replace(before, colour="red")


@pytest.mark.slow
def test_the_last_reference_gives_the_size_and_every_one_counts():
    first, last = render(RED_HEART, 1), render(RED_HEART, 2).resize((83, 49))
    [both] = generate("make the heart blue", references=[first, last], steps=1)
    assert both.size == (80, 48)
    [one] = generate("make the heart blue", references=[last], steps=1)
    assert both.tobytes() != one.tobytes()


GB = 10**9
WIDE_ENOUGH = Machine(kind="xpu", free_device=GB, free_ram=GB)


@pytest.fixture
def machine(monkeypatch):
    """Lets a run believe in a machine whose device is as far away as a copy; returns what its plan is made for."""

    def believe(found):
        monkeypatch.setattr(run_plan, "measure_machine", lambda device, limit: found)
        monkeypatch.setattr(device_scope, "to_device", lambda tensor, device: tensor.clone())

    return believe


def planned(**options):
    plans = []
    [picture] = generate("a blue star", steps=2, seed=1, memory_limit=1, on_plan=plans.append, **options)
    return picture, plans[0]


def test_a_limit_on_a_processor_changes_no_bit():
    plans = []
    [found] = generate("a blue star", steps=2, seed=1, memory_limit=GB, on_plan=plans.append)
    assert (plans[0].kind, plans[0].streamed, plans[0].is_exact) == ("cpu", 0, True)
    assert found.tobytes() == generate("a blue star", steps=2, seed=1)[0].tobytes()


@pytest.fixture(scope="module")
def smaller_and_smaller():
    """Machines whose devices hold less and less, and their plans for nano."""
    networks = run_plan.networks_of(model_folder("nano"), "fp32")
    plans = []
    for free in range(RESERVE + 40_000_000, RESERVE, -200_000):
        found = Machine(kind="xpu", free_device=free, free_ram=GB)
        with suppress(PlanError):
            plans.append((found, make_plan(networks, Picture(width=64, height=64, caption_tokens=32), found)))
    return plans


PLACES = {
    "all on the device": lambda plan: not plan.offload_preparation and not plan.offload_text,
    "preparation offloaded": lambda plan: plan.offload_preparation and not plan.streamed,
    "text encoder offloaded": lambda plan: plan.text_on == "device" and plan.offload_text,
    "some blocks streamed": lambda plan: plan.streamed and plan.resident,
    "all blocks streamed": lambda plan: not plan.resident,
    "transformer offloaded": lambda plan: plan.offload_transformer,
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_wherever_a_plan_puts_the_networks_the_picture_is_the_same(machine, monkeypatch, place, smaller_and_smaller):
    machine(next(each for each, plan in smaller_and_smaller if PLACES[place](plan)))
    streams = []

    def noted(dit, device, **options):
        streams.append(options)
        return stream(dit, device, **options)

    monkeypatch.setattr(placement, "stream", noted)
    picture, plan = planned()
    assert PLACES[place](plan) and bool(streams) == plan.offload_preparation
    assert all(each["resident"] == plan.resident for each in streams)
    assert picture.tobytes() == generate("a blue star", steps=2, seed=1)[0].tobytes()


@pytest.mark.slow
def test_a_large_picture_is_decoded_in_strips_up_to_rounding(machine):
    networks = run_plan.networks_of(model_folder("nano"), "fp32")
    whole = decode_budget_bytes(networks.autoencoder, (64, 64), torch.float32)
    machine(Machine(kind="xpu", free_device=RESERVE + whole, free_ram=GB))
    picture, plan = planned(size=(512, 512))
    assert plan.decode == "strips" and plan.offload_transformer
    difference = ImageChops.difference(picture, generate("a blue star", steps=2, seed=1, size=(512, 512))[0])
    assert max(difference.tobytes()) <= 1


def test_references_are_seen_under_a_limit(machine):
    machine(WIDE_ENOUGH)
    reference = render(RED_HEART, 1)
    picture, plan = planned(references=[reference])
    expected = generate("a blue star", steps=2, seed=1, references=[reference])[0]
    assert plan.kind == "xpu" and picture.tobytes() == expected.tobytes()


@pytest.mark.slow
def test_8_bit_layers_are_a_permission_under_a_limit(machine, smaller_and_smaller):
    exact = generate("a blue star", steps=2, seed=1)[0]
    machine(WIDE_ENOUGH)
    picture, plan = planned(scheme=INT8)
    assert plan.is_exact and picture.tobytes() == exact.tobytes()
    small = next(each for each, plan in smaller_and_smaller if plan.streamed)
    machine(replace(small, kind="cuda", capability=(8, 6)))
    picture, plan = planned(scheme=INT8)
    assert plan.precision == "int8" and picture.tobytes() != exact.tobytes()


def test_a_limit_that_cannot_be_met_is_refused_before_anything_is_loaded(monkeypatch):
    def load(*_):
        raise AssertionError("a network was loaded")

    for name in ("load_text_encoder", "load_dit", "load_vae", "load_vision"):
        monkeypatch.setattr(pipeline, name, load)
    with pytest.raises(PlanError, match="may be used: choose a smaller picture"):
        generate("a blue star", memory_limit=1_000_000)
    with pytest.raises(PlanError, match="encoding the references needs"):
        generate("a blue star", memory_limit=1_000_000, references=[render(RED_HEART, 1)])
    with pytest.raises(PlanError, match="leaves nothing to run in"):
        generate("a blue star", memory_limit=0)
    with pytest.raises(PlanError, match="not in torch.float64"):
        generate("a blue star", memory_limit=GB, dtype=torch.float64)


def test_what_a_machine_has_free_is_measured():
    found = measure_machine(torch.device("cpu"), 10**15)
    assert found.kind == "cpu" and 10**8 < found.free_ram < 10**15
    assert measure_machine(torch.device("cpu"), 1000).budget == 1000
    with pytest.raises(PlanError, match="not on meta"):
        measure_machine(torch.device("meta"), GB)


def test_sides_that_are_no_multiples_of_16_are_refused():
    with pytest.raises(ValueError, match="100x64 pixels cannot be made: choose sides that are multiples of 16"):
        generate("a blue star", size=(100, 64))
