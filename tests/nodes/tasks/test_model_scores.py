"""Scores by models of the user's: each stands in the list where its files are, and gives the core's number."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_clip import save_tiny

from zimage_core.scoring.features import AestheticHead, AestheticScore, ClipFolder, SimilarityScore
from zimage_core.scoring.score import Request

PICTURE = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 60).convert("RGB")
IMAGE = torch.from_numpy(np.asarray(PICTURE).astype(np.float32) / 255)[None]


@pytest.fixture
def scores(pack, tmp_path, monkeypatch):
    """The module, with models folders in a temporary one."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {})
    return importlib.import_module("zimage_pack.nodes.bridge.tasks.scores")


@pytest.mark.slow
def test_the_list_grows_with_the_files_and_numbers_are_the_cores(scores, tmp_path):
    always = scores.names()
    assert always[-2:] == ["alignment (judge)", "aesthetics (judge)"]
    folder = tmp_path / "clip_vision/tiny"
    save_tiny(folder, "clip")
    (tmp_path / "aesthetic").mkdir()
    head = tmp_path / "aesthetic/head.safetensors"
    save_file({"0.weight": torch.randn(1, 16), "0.bias": torch.zeros(1)}, head)
    added = ["similarity (tiny)", "aesthetic (head.safetensors on tiny)"]
    assert scores.names() == [*always, *added]
    clip = ClipFolder(folder)
    request = Request(prompt="a red dog")
    expected = [SimilarityScore(clip), AestheticScore(clip, AestheticHead(head))]
    for name, by in zip(added, expected, strict=True):
        [wanted] = by([PICTURE], [request])
        found = scores.scored(IMAGE, scores.score_of(name, "automatic"), request)
        assert found.value == pytest.approx(wanted.value, abs=1e-6)


def test_what_is_missing_is_one_sentence(scores):
    with pytest.raises(ValueError, match=r"There is no score 'similarity \(gone\)'. Choose one of: sharpness"):
        scores.score_of("similarity (gone)", "automatic")
    with pytest.raises(ValueError, match="connect reference, and a vision model to clip_vision"):
        scores.model_scores.likeness(None, None)


def test_objects_are_counted_by_a_detectors_boxes(scores, pack):
    models = importlib.import_module("zimage_pack.nodes.bridge.tasks.model_scores")
    images = torch.cat([IMAGE, 1 - IMAGE])
    dog = {"x": 1, "y": 1, "width": 9, "height": 9, "label": "dog", "score": 0.8}
    by = models.of_boxes(scores.pil_pictures(images), [[dog, {**dog, "label": "cat"}], [dog]])
    found = scores.scored(images, by, Request(prompt="a dog beside a cat"))
    assert [each.value for each in found.measurements] == [1, 0.5] and found.value == 0.75
    with pytest.raises(ValueError, match="to boxes"):
        models.of_boxes(scores.pil_pictures(images), None)
