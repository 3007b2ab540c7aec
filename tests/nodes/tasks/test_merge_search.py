"""Z-Image Merge Search on nano: the best merge, kept pictures, and an interrupted search that ends as a whole one."""

import importlib
import json

import pytest
import torch
from PIL import Image

from colour_lora import write_colour_lora
from zimage_core.checkpoints import DIT, TEXT_ENCODER, VAE
from zimage_core.nano.files import file_of

PROMPT = "a large green heart in the middle on white"
BUDGET = 6


@pytest.fixture(scope="module")
def bridge(pack):
    name = f"{pack.entry.__name__}.nodes.bridge"
    return lambda module: importlib.import_module(f"{name}.{module}")


@pytest.fixture(scope="module")
def plan(pack, bridge, tmp_path_factory):
    """A search between nano that draws green things red, and nano itself, in a folder; and how it is drawn."""
    with torch.inference_mode():
        nano = pack.bridge_model.load_model(str(file_of(DIT)))
        file = tmp_path_factory.mktemp("lora") / "red.safetensors"
        write_colour_lora(file)
        lora = importlib.import_module(f"{pack.entry.__name__}.zimage_core.checkpoints").read_lora(file)
        red = pack.bridge_loras.apply(nano, [(lora, 1.0)])
        drawn = {"steps": 4, "cfg": 1.0, "solver": "euler", "shift": 3.0}
        drawn["clip"] = pack.bridge_text.load_text_encoder(str(file_of(TEXT_ENCODER)), None)
        drawn["vae"] = pack.bridge_vae.load_vae(str(file_of(VAE)))
        drawn["latent"] = {"samples": torch.zeros(1, 16, 8, 8)}
    task = bridge("tasks.merging.search")
    groups = task.groups_of_blocks

    def make(folder, **changes):
        asked = {
            "groups": groups.groups_of("", task.shapes_of(red)),
            "method": "coordinate",
            "seed": 0,
            "rows": [bridge("tasks.comparing.columns").Row(prompt=PROMPT, seed=3)],
            "score": bridge("tasks.scores").score_of("nano's scene", "automatic"),
        }
        return task.Search(model=red, other=nano, folder=folder, **{**asked, **changes})

    return make, drawn


@pytest.fixture
def searched(bridge, plan):
    """Run a search in a folder."""
    make, drawn = plan
    bar = bridge("tasks.evaluating.painter").SuiteBar(BUDGET)
    return lambda folder, budget=BUDGET: bridge("tasks.merging.search").searched(make(folder), drawn, budget, bar)


def test_the_best_merge_is_found_and_every_picture_is_kept(searched, tmp_path):
    found = searched(tmp_path)
    assert [each.point for each in found.tried[:3]] == [(0.0,) * 4, (1.0,) * 4, (0.5,) * 4]
    assert found.tried[0].value < found.tried[1].value == found.value  # red where green was asked for; nano itself
    lines = [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()]
    assert [tuple(line["point"]) for line in lines] == [each.point for each in found.tried]
    assert len(list(tmp_path.glob("point-*/00.png"))) == len(lines) == BUDGET
    assert Image.open(tmp_path / "point-005/00.png").size == (64, 64)
    assert found.report.startswith(f"Best of {BUDGET} by nano's scene") and len(found.report.splitlines()) == BUDGET + 1
    assert found.sheet.shape[0] == 1 and "rest" in found.blocks


def test_an_interrupted_search_ends_as_a_whole_one_and_draws_nothing_twice(bridge, searched, tmp_path, monkeypatch):
    whole = searched(tmp_path / "whole", 5)
    painter = bridge("tasks.evaluating.painter").Painter
    calls, draw = [], painter.__call__

    def interrupting(self, prompt, seed):
        calls.append(seed)
        if len(calls) == 3:
            raise InterruptedError
        return draw(self, prompt, seed)

    monkeypatch.setattr(painter, "__call__", interrupting)
    with pytest.raises(InterruptedError):
        searched(tmp_path / "cut", 5)
    assert searched(tmp_path / "cut", 5).tried == whole.tried
    assert len(calls) == 1 + 5  # the one that was stopped, and each point once
    searched(tmp_path / "cut", 5)
    assert len(calls) == 1 + 5
    assert searched(tmp_path / "cut", 6).tried[:5] == whole.tried


def test_groups_that_the_model_lacks_are_refused(bridge, plan, tmp_path):
    task = bridge("tasks.merging.search")
    groups = task.groups_of_blocks
    shapes = task.shapes_of(plan[0](tmp_path).model)
    with pytest.raises(ValueError, match="The model has no blocks 90-99"):
        groups.groups_of("0-1 90-99", shapes)
    with pytest.raises(ValueError, match="after blocks stands 'x=1'"):
        groups.check("x")
    assert (
        groups.blocks_of(groups.groups_of("0-1, noise_refiner", shapes), [0.5, 1]) == "0-1=0.5 noise_refiner=1 rest=0"
    )
