"""What the nodes say of pictures and masks they adapt or can do nothing with; the run goes on."""

import importlib

import pytest
import torch

from inpaint_nodes import inpaint


@pytest.fixture(scope="module")
def notes(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.picture_notes")


@pytest.fixture
def picture(generator):
    return torch.rand(1, 48, 64, 3, generator=generator)


def mask_of(size, value, spot=None):
    mask = torch.full((1, *size), value)
    if spot is not None:
        mask[:, 10:20, 10:30] = spot
    return mask


@pytest.mark.parametrize(
    ("mask", "settings", "told"),
    [
        (mask_of((48, 64), 0.0), {}, "The mask is black: nothing is repainted."),
        (mask_of((48, 64), 0.0, 0.3), {}, "The mask is at most 0.30 bright"),
        (mask_of((48, 64), 1.0), {}, "The mask is white everywhere"),
        (mask_of((48, 64), 0.0, 1.0), {"grow": -50, "feather": 0}, "Nothing is left of the mask"),
        (mask_of((24, 32), 0.0, 1.0), {}, "The mask is 32x24 and the picture 64x48: the mask was stretched to it."),
    ],
)
def test_inpaint_says_what_is_wrong_with_a_mask_and_goes_on(nodes, vae, picture, mask, settings, told):
    values = {"grow": 2, "feather": 3, "megapixels": 0.004, "fill": "original", "context": 2.0, **settings}
    output = nodes.ZImageInpaint.execute(picture, mask, vae, **values)
    [said] = output.ui.as_dict()["text"]
    assert told in said and output.result[0]["samples"].shape[1] == 16


def test_nothing_is_said_of_a_mask_that_fits(nodes, vae, picture):
    values = {"grow": 2, "feather": 3, "megapixels": 0.004, "fill": "original", "context": 2.0}
    assert nodes.ZImageInpaint.execute(picture, mask_of((48, 64), 0.0, 1.0), vae, **values).ui is None
    assert len(inpaint(nodes, picture, mask_of((48, 64), 0.0, 1.0), vae)) == 3


def test_outpaint_to_the_size_a_picture_has_is_said(nodes, vae, picture):
    sides = dict.fromkeys(("left", "top", "right", "bottom"), 0)
    values = {"megapixels": 0.004, "feather": 0, "anchor": "middle", "context": 2.0}
    output = nodes.ZImageOutpaint.execute(picture, vae, ratio="by pixels", **sides, **values)
    assert "nothing is painted" in output.ui.as_dict()["text"][0]
    assert nodes.ZImageOutpaint.execute(picture, vae, ratio="by pixels", **{**sides, "left": 16}, **values).ui is None


def test_a_size_that_changes_is_said_and_one_that_stays_is_not(nodes, pack, vae, generator):
    for size, said in (((48, 64), None), ((50, 67), "The picture of 67x50 was cropped to 64x48.")):
        output = pack.groups[4].ZImageVAEEncode.execute(torch.rand(1, *size, 3, generator=generator), vae)
        assert (output.ui and output.ui.as_dict()["text"][0]) == said
    output = nodes.ZImageImageToImage.execute(torch.rand(1, 96, 96, 3, generator=generator), vae, 0.004, 1)
    assert output.ui.as_dict()["text"][0] == "The picture of 96x96 was scaled and cropped to 64x64."


def test_a_control_picture_of_one_colour_and_a_mask_that_does_not_fit_are_said(notes, picture):
    flat = torch.full((2, 48, 64, 3), 0.5)
    assert "one colour" in notes.control_note(flat, None, None)
    assert notes.control_note(picture, None, None) == ""
    assert "black" in notes.control_note(None, picture, mask_of((48, 64), 0.0))
    assert "64x64 and inpaint_image 64x48" in notes.control_note(None, picture, mask_of((64, 64), 1.0))
    assert notes.control_note(None, picture, mask_of((24, 32), 1.0)) == ""
