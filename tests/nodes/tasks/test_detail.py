"""The detail pass with a real VAE: what it cuts out, what it leaves, and what it refuses."""

import importlib

import pytest
import torch


@pytest.fixture(scope="module")
def detail(pack):
    """Our node's call."""
    node = importlib.import_module("zimage_pack.nodes.detail").ZImageDetail

    def call(image, vae, **changes):
        settings = {"grow": 2, "feather": 3, "megapixels": 0.004, "context": 1.5, **changes}
        out = node.execute(image=image, vae=vae, **settings)
        return (*out.result, out.ui.as_dict()["text"][0])

    return call


def put_back(nodes, images, stitches):
    return nodes.ZImageStitch.execute(images, stitches, [1.0]).result[0]


def spots(size, *places):
    mask = torch.zeros(1, *size)
    for y, x in places:
        mask[0, y : y + 6, x : x + 6] = 1
    return mask


def test_two_spots_are_two_regions_that_go_back_into_one_picture(nodes, detail, vae, generator):
    image = torch.rand(1, 100, 150, 3, generator=generator)
    mask = spots((100, 150), (10, 10), (80, 120))
    latents, stitches, crops, note = detail(image, vae, mask=mask)
    assert note == "2 parts, each painted by itself."
    assert [each["samples"].shape for each in latents] == [(1, 16, 8, 8)] * 2  # nano's own size
    (found,) = put_back(nodes, [torch.rand(each.shape, generator=generator) for each in crops], stitches)
    changed = (found != image)[0].any(dim=-1)
    assert changed[mask[0] > 0].all()
    near = torch.nn.functional.max_pool2d(mask, 13, 1, 6)[0] > 0
    assert not changed[~near].any()


def test_regions_that_were_not_painted_give_the_picture_bit_for_bit(nodes, detail, vae, generator):
    image = torch.rand(2, 70, 90, 4, generator=generator)
    _, stitches, crops, _ = detail(image, vae, mask=spots((70, 90), (5, 5), (50, 60)), megapixels=0.0)
    opaque = image[..., 3:].clone()
    (found,) = put_back(nodes, crops, stitches)
    torch.testing.assert_close(found[..., :3], image[..., :3], rtol=0, atol=1e-6)
    assert torch.equal(found[:, 30:45, 30:45], image[:, 30:45, 30:45]) and opaque.shape[-1] == 1


def test_a_picture_that_was_not_cut_out_here_is_told_and_what_was_is_not(nodes, detail, vae, generator):
    image = torch.rand(2, 4, 6, 3, generator=generator).repeat_interleave(25, 1).repeat_interleave(25, 2)
    made = [detail(each[None], vae, mask=spots((100, 150), (40, 60))) for each in image]
    (own, stitches), (other, _) = ((each[2], each[1]) for each in made)

    def note(crops):
        shown = nodes.ZImageStitch.execute(crops, stitches, [1.0]).ui
        return shown.as_dict()["text"][0] if shown else ""

    again = [(each + 0.05 * torch.randn(each.shape, generator=generator)).clamp(0, 1) for each in own]
    assert note(own) == note(again) == note([0.7 * each for each in own]) == ""
    assert "shows something else than what was cut out" in note(other)


def test_lists_of_other_pictures_stay_lists(nodes, detail, vae, generator):
    images = [torch.rand(1, 48, 48, 3, generator=generator) for _ in range(2)]
    made = [detail(image, vae, mask=spots((48, 48), (20, 20))) for image in images]
    found = put_back(nodes, [each[2][0] for each in made], [each[1][0] for each in made])
    assert len(found) == 2 and not torch.equal(*found)


@pytest.mark.parametrize(
    "boxes",
    [
        {"x": 10, "y": 20, "width": 8, "height": 9},
        [{"x": 10, "y": 20, "width": 8, "height": 9}],
        [[{"x": 10, "y": 20, "width": 8, "height": 9, "label": "face", "score": 0.9}]],
        [{"bbox": [312.5, 125, 453.125, 225], "type": "obj"}],
    ],
)
def test_boxes_mark_what_a_mask_of_them_marks(detail, vae, boxes, generator):
    image, mask = torch.rand(1, 64, 80, 3, generator=generator), torch.zeros(1, 64, 80)
    mask[0, 20:29, 10:18] = 1
    (_, (by_box,), _, _), (_, (by_mask,), _, _) = detail(image, vae, boxes=boxes), detail(image, vae, mask=mask)
    assert by_box.region == by_mask.region and torch.equal(by_box.alpha, by_mask.alpha)


def test_each_picture_may_have_boxes_of_its_own(detail, vae, generator):
    image = torch.rand(2, 64, 64, 3, generator=generator)
    own = [[{"x": 1, "y": 1, "width": 4, "height": 4}], [{"x": 50, "y": 50, "width": 4, "height": 4}]]
    _, stitches, _, _ = detail(image, vae, boxes=own)
    assert [each.alpha.amax(dim=(1, 2)).tolist() for each in stitches] == [[1, 0], [0, 1]]


def test_a_small_part_gets_surroundings_rather_than_more_than_four_times_its_size(detail, vae, generator):
    image, mask = torch.rand(1, 64, 64, 3, generator=generator), torch.zeros(1, 64, 64)
    mask[0, 30, 30] = 1
    _, (stitch,), _, _ = detail(image, vae, mask=mask, grow=0, feather=0, context=1.0, megapixels=0.01)
    assert stitch.region.height >= 102 / 4 and stitch.alpha.sum() == 1


def test_nothing_marked_says_so_and_gives_the_picture(nodes, detail, vae, generator):
    image = torch.rand(1, 48, 64, 3, generator=generator)
    for marks in ({}, {"mask": torch.zeros(1, 64, 64)}, {"boxes": []}, {"boxes": [[]]}):
        latents, stitches, crops, note = detail(image, vae, **marks)
        assert note.startswith("Nothing is marked") and not latents[0]["noise_mask"].any()
        assert torch.equal(put_back(nodes, [torch.full_like(crops[0], 1e30)], stitches)[0], image)


def test_a_part_larger_than_the_painted_size_is_told(detail, vae, generator):
    image = torch.rand(1, 200, 200, 3, generator=generator)
    *_, note = detail(image, vae, mask=torch.ones(1, 1, 1))
    assert note.startswith("1 part is painted.\n") and "The mask is 1x1 and the picture 200x200" in note
    assert "white everywhere: the whole picture is repainted" in note
    assert "Part 1 is 200x200 and is painted at 64x64" in note


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"boxes": [{"x": 500, "y": 0, "width": 5, "height": 5}]}, "no pixel inside the picture of 64x48"),
        ({"boxes": "face"}, "are str, not ComfyUI's bounding boxes"),
        ({"boxes": [{"x": 1}]}, "A box has x, y, width and height"),
        ({"boxes": [[], [], []]}, "do not belong together"),
    ],
)
def test_wrong_boxes_are_refused_in_one_sentence(detail, vae, marks, sentence, generator):
    image = torch.rand(2, 48, 64, 3, generator=generator)
    with pytest.raises(ValueError, match=sentence):
        detail(image, vae, **marks)
