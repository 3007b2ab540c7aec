"""One rule for the part of a run in which a node acts: empty it is off, bit for bit, and backward it is refused."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from native_pictures import draw

EMPTY = [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0)]
NODES = {
    "nag": ("nag", "ZImageNAG"),
    "style": ("style_reference", "ZImageStyleReference"),
    "region": ("region", "ZImageRegion"),
    "diversity": ("diversity", "ZImageDiversity"),
}


@pytest.fixture(scope="module")
def models(native, pack, tmp_path_factory):
    """Our MODEL, and native's, which stays native where a node is off."""
    config = replace(native.CONFIG, n_layers=1, n_refiner_layers=1)
    return SimpleNamespace(ours=native.ours(pack, tmp_path_factory.mktemp("part"), config), native=native.model(config))


@pytest.fixture
def act(native, vae):
    """A node's call with its defaults: MODEL and positive CONDITIONING behind it, and its note."""

    def call(name, model, percents=(0.0, 1.0), **changes):
        module, cls = NODES[name]
        node = getattr(importlib.import_module(f"zimage_pack.nodes.{module}"), cls)
        defaults = {
            each.id: each.default for each in node.define_schema().inputs if getattr(each, "default", None) is not None
        }
        positive, own = native.conditioning(17, 1), native.conditioning(30, 2)
        sockets = {
            "nag": {"model": model, "negative": own},
            "style": {"model": model, "vae": vae, "image": torch.rand(1, 64, 64, 3)},
            "region": {"conditioning": positive, "region_prompt": own},
            "diversity": {"conditioning": positive},
        }[name]
        start, end = percents
        out = node.execute(**{**defaults, **sockets, **changes, "start_percent": start, "end_percent": end})
        changed = {"model": model, "positive": positive}
        changed["model" if "model" in sockets else "positive"] = out.result[0]
        note = (out.ui if isinstance(out.ui, dict) else out.ui.as_dict())["text"][0] if out.ui else ""
        return SimpleNamespace(**changed, note=note)

    return call


def picture(native, drawn):
    return draw(native, drawn.model, positive=drawn.positive, steps=2)


@pytest.mark.parametrize("kind", ["ours", "native"])
@pytest.mark.parametrize("name", NODES)
def test_an_empty_part_is_bit_equal_to_no_node(native, models, act, name, kind):
    model = getattr(models, kind)
    plain = draw(native, model, positive=native.conditioning(17, 1), steps=2)
    for percents in EMPTY:
        assert torch.equal(picture(native, act(name, model, percents)), plain)
    if kind == "ours":
        assert not torch.equal(picture(native, act(name, model, (0.0, 0.1))), plain)


@pytest.mark.parametrize("name", NODES)
def test_a_part_that_runs_back_is_refused_in_the_same_words(models, act, name):
    with pytest.raises(ValueError, match="would start at 0.6 of the run and end at 0.5, which is before it"):
        act(name, models.ours, (0.6, 0.5))


@pytest.mark.parametrize("name", ["nag", "region"])
def test_a_prompt_of_zeros_names_nothing_so_the_node_is_off_and_says_so(native, models, act, name):
    zeros = [[torch.zeros_like(native.conditioning(30, 2)[0][0]), {}]]
    drawn = act(name, models.ours, **{"negative" if name == "nag" else "region_prompt": zeros})
    assert "is all zeros, as Conditioning Zero Out makes it" in drawn.note
    assert torch.equal(picture(native, drawn), draw(native, models.ours, positive=native.conditioning(17, 1), steps=2))


def test_a_style_that_is_off_encodes_nothing(models, act, monkeypatch, vae):
    monkeypatch.setattr(type(vae), "encode", lambda *_: pytest.fail("encoded"))
    for changes in ({"strength": 0.0}, {"percents": (0.5, 0.5)}):
        assert act("style", models.ours, **changes).note.startswith("Off")
