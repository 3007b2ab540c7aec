"""Classifiers, faces and the share of text, against values worked out by hand and transformers' own pipeline."""

import json
import math

import numpy as np
import pytest
import torch
from onnx_by_hand import colour_classifier, told_faces
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file

from zimage_core.scoring.classifying import (
    ClassScore,
    FacesScore,
    FolderClassifier,
    LinearHead,
    OnnxClassifier,
    YuNet,
)
from zimage_core.scoring.lettering import Line, RapidReader
from zimage_core.scoring.lettering.text_share import TextShareScore
from zimage_core.scoring.model_folder import ModelFolderError
from zimage_core.scoring.score import Request

RED, GREY = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (40, 60), (51, 51, 51))


def values(score, *pictures):
    return [each.value for each in score(pictures, [Request()] * len(pictures))]


class Colours:
    """A picture's first colour as its features."""

    name = "colours"

    def pictures(self, pictures):
        return torch.tensor([each.getpixel((0, 0)) for each in pictures]) / 255


def test_a_linear_head_of_one_logit_is_a_sigmoid_and_of_more_a_softmax(tmp_path):
    save_file({"weight": torch.tensor([2.0, 1.0, 0.0]), "bias": torch.tensor([-1.0])}, tmp_path / "one.safetensors")
    score = ClassScore(LinearHead(Colours(), tmp_path / "one.safetensors"), "nsfw")
    assert values(score, RED, GREY) == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(0.4))])
    assert score.reader == "one.safetensors on colours"
    three = {"fc.weight": torch.eye(3)}
    save_file(three, tmp_path / "three.safetensors", {"labels": "red thing, green, blue"})
    score = ClassScore(LinearHead(Colours(), tmp_path / "three.safetensors"), "red_thing")
    assert values(score, RED, GREY) == pytest.approx([math.e / (math.e + 2), 1 / 3])
    save_file({"0.weight": torch.eye(3), "2.weight": torch.eye(3)}, tmp_path / "deep.safetensors")
    with pytest.raises(ModelFolderError, match="no single linear layer"):
        LinearHead(Colours(), tmp_path / "deep.safetensors")
    save_file({"weight": torch.ones(2, 5)}, tmp_path / "wide.safetensors")
    with pytest.raises(ModelFolderError, match="reads 5 features, the encoder gives 3"):
        values(ClassScore(LinearHead(Colours(), tmp_path / "wide.safetensors"), "nsfw"), RED)


def test_an_onnx_file_is_asked_with_what_stands_beside_it(tmp_path):
    pytest.importorskip("onnxruntime")
    weight, bias = np.array([[1.0, 3.0], [0.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.0])
    file = colour_classifier(tmp_path / "two.onnx", weight, bias)
    red, grey = values(ClassScore(OnnxClassifier(file), "nsfw"), RED, GREY)  # logits 1.5 and 3, 0.7 and 0.6
    assert (red, grey) == pytest.approx((1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(0.1))), rel=1e-5)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "NSFW", "1": "normal"}}))
    [red] = values(ClassScore(OnnxClassifier(file), "nsfw"), RED)  # red is now (1, -1, -1)
    assert red == pytest.approx(1 / (1 + math.exp(1.5)), rel=1e-5)
    with pytest.raises(ModelFolderError, match=r"no class 'ai' \(its classes are NSFW, normal\)"):
        values(ClassScore(OnnxClassifier(file), "ai"), RED)
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFolderError, match="cannot be read as ONNX"):
        OnnxClassifier(tmp_path / "no.onnx")


def test_a_folder_is_what_transformers_makes_of_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16
    )
    config.id2label, config.label2id = {0: "human", 1: "artificial", 2: "else"}, {}
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    told = transformers.pipeline("image-classification", str(tmp_path))(GREY, top_k=3)
    wanted = next(each["score"] for each in told if each["label"] == "artificial")
    assert values(ClassScore(FolderClassifier(tmp_path), "artificial"), GREY) == pytest.approx([wanted], rel=1e-4)


def test_yunets_boxes_are_decoded_joined_and_brought_to_the_pictures_size(tmp_path):
    pytest.importorskip("onnxruntime")
    half = math.log(0.5)
    told = {
        8: [(2, 3, 0.9, (0.5, 0.5, math.log(2), math.log(2)))],  # around (28, 20), 16 wide and high
        16: [(1, 1, 0.8, (0.75, 0.25, 0.0, 0.0))],  # the same face once more
        32: [(1, 1, 0.8, (0.5, 0.5, half, half)), (0, 0, 0.6, (0.5, 0.5, 0.0, 0.0))],  # around (48, 48); one unsure
    }
    finder = YuNet(told_faces(tmp_path / "yunet.onnx", 64, told))
    picture = Image.new("RGB", (128, 128))
    assert finder(picture).tolist() == pytest.approx(np.array([[40, 24, 72, 56], [80, 80, 112, 112]]), abs=1e-3)
    [found] = FacesScore(finder)([picture], [Request()])
    assert found.value == 2 and found.parts["share"] == pytest.approx(2 * 32 * 32 / 128**2)
    file = colour_classifier(tmp_path / "other.onnx", np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ModelFolderError, match="is no YuNet"):
        YuNet(file)


class Told:
    """A reader with known lines."""

    name = "known lines"

    def __init__(self, *boxes, confidence=1.0):
        self.lines = [Line(text="words", box=box and tuple(map(float, box)), confidence=confidence) for box in boxes]

    def read(self, picture, language):
        return self.lines


def test_the_share_of_text_counts_each_place_once():
    picture = Image.new("RGB", (100, 50))
    boxes = [(0, 0, 50, 20), (25, 10, 75, 30), (90, 40, 130, 60)]  # 1000 + 1000 - 250 + 100 of 5000
    assert values(TextShareScore(Told(*boxes)), picture) == [pytest.approx(1850 / 5000)]
    assert values(TextShareScore(Told(*boxes, confidence=0.3)), picture) == [0]
    assert values(TextShareScore(Told(None)), picture) == [None]


def test_drawn_text_has_about_the_share_that_was_drawn():
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    font, shares, found = ImageFont.load_default(48), [], []
    for lines in (0, 2):
        picture = Image.new("RGB", (480, 320), "white")
        drawn = ImageDraw.Draw(picture)
        boxes = [drawn.textbbox((40, 40 + 120 * line), "OPEN DAILY", font) for line in range(lines)]
        for line in range(lines):
            drawn.text((40, 40 + 120 * line), "OPEN DAILY", "black", font)
        shares.append(sum((right - left) * (low - top) for left, top, right, low in boxes) / (480 * 320))
        found += values(TextShareScore(RapidReader()), picture)
    assert found[0] == 0 and shares[1] < found[1] < 2 * shares[1]  # a reader leaves some room around letters
