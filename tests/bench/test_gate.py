"""The gate: nano draws and edits as well as recorded; pictures made worse on purpose fail, beside those asked for."""

import numpy as np
import pytest
import torch
from PIL import Image

from bench.gate import every_lever, figures, gate, judged, quick_levers, read_figures
from bench.gate_levers import LEVERS, TURBO, Outcome, scenes, unexplained
from colour_lora import write_colour_lora
from zimage_core.nano.data.render import render


@pytest.mark.slow
def test_nano_draws_and_edits_as_well_as_recorded(tmp_path):
    with torch.inference_mode():
        assert gate(quick_levers(), read_figures(), tmp_path, is_strict=True)
    assert not list(tmp_path.iterdir())


class Given:
    """A lever whose pictures are the renderer's, spoiled."""

    name = "given"

    def __init__(self, spoil):
        self.spoil, self.lever = spoil, next(each for each in LEVERS if each.name == "drawing")

    def pictures(self, n):
        return (self.spoil(self.wanted(index), index) for index in range(n))

    def wanted(self, index):
        return render(scenes()[index])

    def outcome(self, index, picture):
        return self.lever.outcome(index, picture)

    def prompt(self, index):
        return self.lever.prompt(index)


def noisy(picture, index):
    noise = np.random.default_rng(index).normal(0, 6, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def another(picture, index):
    return render(scenes()[index + 100]) if index == 2 else picture


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil, told", [(noisy, "times as much is unexplained"), (another, "1 of 4 pictures were right")]
)
def test_pictures_made_worse_fail_and_lie_beside_what_was_asked_for(tmp_path, capsys, spoil, told):
    good = Given(lambda picture, index: picture)
    recorded = {"given": figures([good.outcome(index, picture) for index, picture in enumerate(good.pictures(4))])}
    assert gate([(good, 4)], recorded, tmp_path, is_strict=True)
    assert not gate([(Given(spoil), 4)], recorded, tmp_path, is_strict=True)
    assert told in capsys.readouterr().out
    assert (tmp_path / "gate.html").read_text().count("data:image/jpeg") == 8


def outcomes(right):
    return figures([Outcome(is_right=each == "1", unexplained=0.01) for each in right])


def test_many_pictures_fail_only_where_chance_rarely_loses_as_many():
    recorded = outcomes("1" * 32)
    assert not judged("x", outcomes("0" * 5 + "1" * 27), recorded, is_strict=False).failures
    assert judged("x", outcomes("0" * 6 + "1" * 26), recorded, is_strict=False).failures
    assert judged("x", outcomes("01"), recorded, is_strict=True).failures
    assert not judged("x", outcomes("1" * 32), outcomes("0" * 32), is_strict=True).failures


def test_a_render_is_explained_and_noise_is_not():
    picture = render(scenes()[0])
    assert unexplained(picture) < 0.002 < 0.01 < unexplained(noisy(picture, 0))


def test_the_record_has_every_lever_with_its_interval():
    recorded = read_figures()
    assert list(recorded) == [lever.name for lever in every_lever(TURBO)]
    assert all(each.low <= each.rate <= each.high and each.pictures >= 32 for each in recorded.values())


@pytest.mark.slow
def test_a_turbo_is_nano_with_its_lora(tmp_path):
    file = tmp_path / "turbo.safetensors"
    assert every_lever(file) == LEVERS
    write_colour_lora(file, drive=3)  # four times what the model says, where a real one would save steps
    recorded = read_figures()["drawing, 8 steps without guidance"]
    for turbo in every_lever(file)[-2:]:
        with torch.inference_mode():
            outcomes = [turbo.outcome(index, picture) for index, picture in enumerate(turbo.pictures(4))]
        assert judged(turbo.name, figures(outcomes), recorded, is_strict=True).failures
