"""ComfyUI's bounding boxes: every form in which nodes hand over one box gives the same numbers."""

import pytest

from zimage_core.bounding_boxes import boxes_of_pictures

BOX = {"x": 20, "y": 10, "width": 40, "height": 30}
ELEMENT = {"bbox": [100, 100, 400, 300], "desc": "a dog"}  # thousandths of 100 x 200 pixels, top and bottom first
SIZE = (100, 200)


@pytest.mark.parametrize("given", [BOX, [BOX], [[BOX]], ({**BOX, "label": "dog"},), ELEMENT, [[ELEMENT]]])
def test_one_box_in_every_form(given):
    [[box]] = boxes_of_pictures(given)
    assert box.in_pixels(SIZE) == pytest.approx((20, 10, 40, 30)) and box.score == 1


def test_lists_belong_to_pictures_and_detectors_tell_what_they_see():
    seen = {**BOX, "label": "dog", "score": 0.25}
    first, second = boxes_of_pictures([[], [seen, ELEMENT]])
    assert first == [] and [(box.label, box.score) for box in second] == [("dog", 0.25), ("", 1.0)]
    assert boxes_of_pictures(None) == boxes_of_pictures([]) == []


@pytest.mark.parametrize(
    "given",
    [
        "face",
        3,
        [BOX, 3],
        [{"x": 1}],
        {**BOX, "x": "left"},
        {**BOX, "x": float("nan")},
        {"bbox": [1, 2, 3]},
        [[BOX], BOX],
    ],
)
def test_what_are_no_boxes_is_told_in_a_sentence(given):
    with pytest.raises(ValueError, match="Connect the") as told:
        boxes_of_pictures(given)
    assert len(str(told.value)) < 250
