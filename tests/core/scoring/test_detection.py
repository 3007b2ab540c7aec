"""GenEval's rules on the records its metadata describes; a user's detector against transformers' own pipeline."""

import numpy as np
import pytest
import torch
from PIL import Image

from zimage_core.scoring.detection import (
    Detection,
    DetectorError,
    FolderDetector,
    FoundBoxes,
    GenEvalScore,
    PromptObjectsScore,
    judge,
    kept,
    relative_position,
)
from zimage_core.scoring.model_folder import ModelFolderError
from zimage_core.scoring.score import Request, Score

SINGLE = {"tag": "single_object", "include": [{"class": "bench", "count": 1}]}
TWO = {"tag": "two_object", "include": [{"class": "cow", "count": 1}, {"class": "bus", "count": 1}]}
COUNTING = {
    "tag": "counting",
    "include": [{"class": "clock", "count": 2}],
    "exclude": [{"class": "clock", "count": 3}],
}
COLORS = {"tag": "colors", "include": [{"class": "car", "count": 1, "color": "blue"}]}
POSITION = {
    "tag": "position",
    "include": [{"class": "cow", "count": 1}, {"class": "dog", "count": 1, "position": ["right of", 0]}],
}
ATTRIBUTES = {
    "tag": "color_attr",
    "include": [{"class": "cup", "count": 1, "color": "red"}, {"class": "bowl", "count": 1, "color": "green"}],
}


def thing(
    name: str, x: float = 50, y: float = 50, size: float = 20, confidence: float = 0.95, colour=None
) -> Detection:
    box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Detection(name=name, box=box, confidence=confidence, colour=colour)


class Sees:
    name = "sees 1.0"

    def __init__(self, *found: Detection) -> None:
        self.found = found

    def detect(self, picture):
        return self.found


class Blue:
    name = "blue glasses"

    def colours(self, picture, found, names):
        return ["blue" for _ in found]


@pytest.mark.parametrize(
    ("record", "found", "is_right"),
    [
        (SINGLE, [thing("bench")], True),
        (SINGLE, [thing("bench", confidence=0.3)], False),  # above the threshold, not at it
        (SINGLE, [thing("chair")], False),
        (TWO, [thing("bus"), thing("cow"), thing("cow")], True),  # more than asked for is no mistake
        (TWO, [thing("bus")], False),
        (COUNTING, [thing("clock"), thing("clock")], True),
        (COUNTING, [thing("clock")] * 3, False),
        (COUNTING, [thing("clock"), thing("clock"), thing("clock", confidence=0.9)], True),  # the third is doubtful
        (COUNTING, [thing("clock"), thing("clock", confidence=0.5)], False),
        (COLORS, [thing("car", colour="blue")], True),
        (COLORS, [thing("car", colour="red")], False),
        (
            COLORS,
            [thing("car", colour="blue", confidence=0.6), thing("car", colour="red")],
            False,
        ),  # the surest is asked
        (POSITION, [thing("cow", 30), thing("dog", 70)], True),
        (POSITION, [thing("cow", 70), thing("dog", 30)], False),
        (POSITION, [thing("dog", 70)], False),
        (POSITION, [thing("cow", 30, 20), thing("dog", 50, 90)], False),  # far more below than right
        (ATTRIBUTES, [thing("cup", colour="red"), thing("bowl", colour="green")], True),
        (ATTRIBUTES, [thing("cup", colour="green"), thing("bowl", colour="red")], False),
    ],
)
def test_the_six_tags(record, found, is_right):
    assert judge(kept(found, record["tag"]), record).is_right == is_right


def test_positions_leave_a_tenth_of_the_sizes_and_half_of_the_direction():
    still = (0.0, 0.0, 20.0, 20.0)

    def at(x: float, y: float) -> set[str]:
        return relative_position((float(x), float(y), x + 20.0, y + 20.0), still)

    assert at(8, 0) == set()  # 8 less 0.1 * 40 = 4, which is half of 8 and not more
    assert at(8.1, 0) == {"right of"} and at(-8.1, 0) == {"left of"}
    assert at(0, -30) == {"above"} and at(0, 30) == {"below"}
    assert at(3, 3) == set()
    assert at(100, 100) == {"right of", "below"}
    # The published formula, in vectors, on random boxes
    draw = np.random.default_rng(0)
    for _ in range(200):
        one, other = (np.sort(draw.uniform(0, 100, (2, 2)), axis=0) for _ in range(2))
        offset = one.mean(0) - other.mean(0)
        rest = np.sign(offset) * np.maximum(np.abs(offset) - 0.1 * (one[1] - one[0] + other[1] - other[0]), 0)
        dx, dy = rest / np.linalg.norm(offset)
        expected = {"left of": dx < -0.5, "right of": dx > 0.5, "above": dy < -0.5, "below": dy > 0.5}
        found = relative_position(tuple(one.ravel().tolist()), tuple(other.ravel().tolist()))
        assert found == ({name for name, holds in expected.items() if holds} if np.abs(rest).max() >= 1e-3 else set())


def test_a_score_says_what_failed_and_who_looked():
    picture = Image.new("RGB", (100, 100))
    score = GenEvalScore(Sees(thing("car")), Blue())
    assert isinstance(score, Score) and score.reader == "sees 1.0, colours by blue glasses"
    right, wrong, none, broken = score(
        [picture] * 4,
        [
            Request(rules=COLORS),
            Request(rules=TWO),
            Request(prompt="a car"),
            Request(rules={"include": [{"count": 1}]}),
        ],
    )
    assert right.value == 1 and right.notes == ""
    assert wrong.value == 0 and wrong.notes == "expected 1 cow, found 0; expected 1 bus, found 0"
    assert none.value is None and "evaluation_metadata.jsonl" in none.problem
    assert broken.value is None and "not a list of {class, count}" in broken.problem
    (uncoloured,) = GenEvalScore(Sees(thing("car")))([picture], [Request(rules=COLORS)])
    assert uncoloured.value is None and "tells no colours" in uncoloured.problem


@pytest.mark.slow
def test_a_users_detector_finds_what_transformers_pipeline_finds(tmp_path):
    from transformers import ObjectDetectionPipeline, YolosConfig, YolosForObjectDetection, YolosImageProcessor

    torch.manual_seed(0)
    names = {0: "cat", 1: "dog", 2: "bird"}
    config = YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=[64, 64]
    )
    config.num_detection_tokens, config.id2label, config.label2id = 6, names, {v: k for k, v in names.items()}
    YolosForObjectDetection(config).save_pretrained(tmp_path)
    YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(tmp_path)
    picture = Image.effect_mandelbrot((96, 64), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    detector = FolderDetector(tmp_path)
    pipeline = ObjectDetectionPipeline(model=detector.model, image_processor=detector.processor)
    expected = pipeline(picture, threshold=0.05)
    found = detector.detect(picture)
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.name, ours.confidence) == (theirs["label"], pytest.approx(theirs["score"], rel=1e-5))
        assert ours.box == pytest.approx(tuple(theirs["box"].values()), abs=1)  # the pipeline rounds down


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(ModelFolderError, match="there is no folder"):
        FolderDetector(tmp_path / "nowhere")
    with pytest.raises(ModelFolderError, match=r"no config\.json"):
        FolderDetector(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelFolderError, match=r"no \.safetensors file"):
        FolderDetector(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelFolderError, match="no object detector that transformers reads"):
        FolderDetector(tmp_path)


def test_objects_of_a_prompt_are_its_words_that_the_detector_knows():
    class Cats:
        name = "cats"

        def detect(self, picture):
            sure = {"cat": 0.31, "bus": 0.3}
            return [Detection(name=name, box=(0.0, 0.0, 9.0, 9.0), confidence=each) for name, each in sure.items()]

    score = PromptObjectsScore(Cats(), ["cat", "bus", "car"])
    prompts = ["two Cats in a carriage", "a cat beside buses", "a dog", ""]
    found = score([Image.new("RGB", (9, 9))] * 4, [Request(prompt=prompt) for prompt in prompts])
    assert [each.value for each in found] == [1, 0.5, None, None]
    assert found[1].notes == "no bus" and "names no object that cats knows" in found[2].problem


def as_comfyui_writes(found: Detection) -> dict:
    left, top, right, bottom = found.box
    sides = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**sides, "label": found.name, "score": found.confidence}


def test_boxes_of_comfyuis_detectors_are_judged_as_their_detections():
    pictures = [Image.new("RGB", (100, 100), (level, 0, 0)) for level in (1, 2)]
    found = [[thing("cow", x=20), thing("dog", x=80)], [thing("cow", x=80), thing("dog", x=20)]]
    boxes = FoundBoxes(
        pictures, [[*map(as_comfyui_writes, each), {"x": 1, "y": 1, "width": 5, "height": 5}] for each in found]
    )
    assert boxes.names == ["cow", "dog"]
    by_boxes = GenEvalScore(boxes)(pictures[::-1], [Request(rules=POSITION)] * 2)
    by_detections = [GenEvalScore(Sees(*each))(pictures[:1], [Request(rules=POSITION)])[0] for each in found[::-1]]
    assert [each.value for each in by_boxes] == [each.value for each in by_detections] == [0, 1]
    score = PromptObjectsScore(FoundBoxes(pictures, as_comfyui_writes(found[0][0])), ["cow", "dog"])
    assert [each.value for each in score(pictures, [Request(prompt="a cow and a dog")] * 2)] == [0.5, 0.5]


def test_boxes_of_other_pictures_are_told():
    pictures = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (1, 2)]
    with pytest.raises(ValueError, match="boxes: 3; pictures here: 2"):
        FoundBoxes(pictures, [[], [], []])
    drawn = {"x": 1, "y": 1, "width": 5, "height": 5}
    with pytest.raises(ValueError, match="do not tell what is in them"):
        FoundBoxes(pictures, [[drawn], []])
    with pytest.raises(DetectorError, match="nobody looked"):
        FoundBoxes(pictures[:1], []).detect(pictures[1])
