"""Similarity against transformers' own logits on tiny models; distances of sets against closed forms and loops."""

import itertools
import math

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_clip import save_tiny
from torch import nn

import tiny
from zimage_core.scoring.detection import Detection
from zimage_core.scoring.features import (
    AestheticHead,
    AestheticScore,
    ClipColours,
    ClipFolder,
    LikenessScore,
    SiglipTower,
    SimilarityScore,
    diversity,
    duplicates,
    frechet_distance,
    halves_interval,
    kernel_distance,
)
from zimage_core.scoring.model_folder import ModelFolderError
from zimage_core.scoring.score import Request, Score

PICTURES = [
    Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 60).convert("RGB"),
    Image.new("RGB", (64, 64), "red"),
    Image.linear_gradient("L").convert("RGB"),
]
PROMPTS = ["a red dog", "two blue dog", "a photo of a dog"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> ClipFolder:
    folder = tmp_path_factory.mktemp("tiny-clip")
    save_tiny(folder, "clip")
    return ClipFolder(folder, batch=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_similarity_is_the_cosine_in_transformers_logits(kind, tmp_path):
    save_tiny(tmp_path, kind)
    encoder = ClipFolder(tmp_path, batch=2)
    score = SimilarityScore(encoder)
    assert isinstance(score, Score) and score.reader == tmp_path.name
    found = [each.value for each in score(PICTURES, [Request(prompt=prompt) for prompt in PROMPTS])]
    padding = {"padding": "max_length", "max_length": 64} if kind == "siglip" else {"padding": True}
    inputs = encoder.processor(text=PROMPTS, images=PICTURES, return_tensors="pt", **padding)
    with torch.inference_mode():
        logits = encoder.model(**inputs).logits_per_image - (encoder.model.logit_bias if kind == "siglip" else 0)
        expected = logits.diagonal() / encoder.model.logit_scale.exp()
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


def test_similarity_without_a_prompt_is_missing_and_order_changes_nothing(clip):
    score = SimilarityScore(clip, prefix="A photo depicts ")
    requests = [Request(prompt=PROMPTS[0]), Request(), Request(prompt=PROMPTS[2])]
    first, none, third = score(PICTURES, requests)
    assert none.value is None and "no prompt" in none.problem
    assert first.parts["CLIPScore"] == pytest.approx(2.5 * max(first.value, 0))
    back = score(PICTURES[::-1], requests[::-1])
    assert back[2].value == pytest.approx(first.value, abs=1e-6) and back[0].value == pytest.approx(
        third.value, abs=1e-6
    )
    assert score(PICTURES[:1], [Request()])[0].value is None


def test_likeness_is_the_cosine_to_the_reference_and_1_for_itself(clip):
    score = LikenessScore(clip, PICTURES[0])
    found = [each.value for each in score(PICTURES, [Request()] * 3)]
    one, two, three = clip.pictures(PICTURES)
    assert found == pytest.approx([1.0, float(one @ two), float(one @ three)], abs=1e-5)
    assert score([], []) == []


def test_colours_are_the_mean_of_three_phrasings(clip):
    found = [Detection(name="dog", box=(0.0, 0.0, 20.0, 20.0)), Detection(name="dog", box=(10.0, 5.0, 40.0, 30.0))]
    chosen = ClipColours(clip).colours(PICTURES[0], found, ["red", "blue"])
    for each, colour in zip(found, chosen, strict=True):
        vector = clip.pictures([PICTURES[0].crop(tuple(int(edge) for edge in each.box))])[0]
        means = {}
        for name in ("red", "blue"):
            phrases = [f"a photo of a {name} dog", f"a photo of a {name}-colored dog", f"a photo of a {name} object"]
            mean = clip.words(phrases).mean(0)
            means[name] = float(mean @ vector / mean.norm())
        assert colour == max(means, key=means.get)
    assert ClipColours(clip).colours(PICTURES[0], [], ["red"]) == []


def test_a_folder_of_another_model_is_one_sentence(tmp_path):
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16, image_size=[32, 32]
    )
    YolosForObjectDetection(config).save_pretrained(tmp_path)
    YolosImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(ModelFolderError, match="CLIP or SigLIP"):
        ClipFolder(tmp_path)


def test_the_tower_tells_pictures_apart_and_keeps_their_shape():
    encoder = SiglipTower(tiny.fill(tiny.Siglip2(tiny.VISION)))
    features = encoder.pictures(PICTURES)
    assert torch.allclose(features.norm(dim=-1), torch.ones(3), atol=1e-5)
    assert torch.equal(encoder.pictures(PICTURES[:1])[0], features[0])
    assert (features @ features.T).fill_diagonal_(0).max() < 0.9999


def test_diversity_is_the_mean_over_pairs(generator):
    features = torch.randn(6, 5, generator=generator)
    cosines = [float(torch.cosine_similarity(a, b, dim=0)) for a, b in itertools.combinations(features, 2)]
    assert diversity(features) == pytest.approx(1 - sum(cosines) / len(cosines), abs=1e-6)
    assert diversity(torch.ones(4, 3)) == pytest.approx(0, abs=1e-9)
    assert math.isnan(diversity(features[:1]))


def test_duplicates_are_pairs(generator):
    features = torch.randn(5, 64, generator=generator)
    features[3] = 2 * features[1]
    assert [(a, b) for a, b, _ in duplicates(features)] == [(1, 3)]


def test_frechet_distance_of_gaussians_with_known_moments(generator):
    """Diagonal covariances: |m|² + sum (a - b)², for standard deviations a and b; exact for whitened samples."""
    drawn = torch.randn(400, 4, dtype=torch.float64, generator=generator)
    drawn = drawn - drawn.mean(0)
    values, vectors = torch.linalg.eigh(drawn.T @ drawn / 399)
    white = drawn @ (vectors / values.sqrt()) @ vectors.T
    a, b, shift = torch.tensor([1.0, 2, 3, 0.5]), torch.tensor([2.0, 2, 1, 0.1]), torch.tensor([1.0, 0, -2, 0])
    assert frechet_distance(white * a, white * b + shift) == pytest.approx(5 + 1 + 4 + 0.16, rel=1e-6)
    assert frechet_distance(white, white) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_its_double_sum_and_zero_for_one_distribution(generator):
    one, other = torch.randn(7, 3, generator=generator), torch.randn(5, 3, generator=generator) + 1

    def kernel(x, y):
        return (float(x.double() @ y.double()) / 3 + 1) ** 3

    within = [
        sum(kernel(a, b) for a, b in itertools.permutations(s, 2)) / (len(s) * (len(s) - 1)) for s in (one, other)
    ]
    across = sum(kernel(a, b) for a in one for b in other) / 35
    assert kernel_distance(one, other) == pytest.approx(sum(within) - 2 * across)
    many = torch.randn(400, 8, generator=generator)
    low, high = halves_interval(kernel_distance, many[:200], many[200:], rounds=40)
    assert low < 0 < high
    low, high = halves_interval(kernel_distance, many[:200], many[200:] + 0.5, rounds=40)
    assert 0 < low < kernel_distance(many[:200], many[200:] + 0.5) < high


def test_an_interval_holds_the_truth_as_often_as_it_says(generator):
    """Of a difference of means, whose truth is 0 here."""
    held = 0
    for _ in range(100):
        one, other = torch.randn(40, 1, generator=generator), torch.randn(40, 1, generator=generator)
        low, high = halves_interval(lambda a, b: float(a.mean() - b.mean()), one, other, rounds=60)
        held += low < 0 < high
    assert held >= 88


@pytest.mark.parametrize("widths", [(16, 1), (16, 24, 8, 1)])
def test_aesthetic_heads_are_their_layers(clip, tmp_path, widths):
    layers = nn.Sequential(*(nn.Linear(*pair) for pair in itertools.pairwise(widths)))
    tensors = layers.state_dict() if len(widths) > 2 else layers[0].state_dict()
    save_file(tensors, tmp_path / "head.safetensors")
    score = AestheticScore(clip, AestheticHead(tmp_path / "head.safetensors"))
    assert isinstance(score, Score) and score.reader.startswith("head on ")
    found = [each.value for each in score(PICTURES, [Request()] * 3)]
    with torch.inference_mode():
        assert found == pytest.approx(layers(clip.pictures(PICTURES))[:, 0].tolist(), abs=1e-6)


def test_heads_that_are_none_are_one_sentence(clip, tmp_path):
    with pytest.raises(ModelFolderError, match=r"convert the head to a \.safetensors"):
        AestheticHead(tmp_path / "head.pth")
    save_file({"weight": torch.ones(3, 16), "bias": torch.ones(3)}, tmp_path / "three.safetensors")
    with pytest.raises(ModelFolderError, match="no chain of linear layers"):
        AestheticHead(tmp_path / "three.safetensors")
    save_file({"weight": torch.ones(1, 768), "bias": torch.ones(1)}, tmp_path / "large.safetensors")
    with pytest.raises(ModelFolderError, match="reads 768 features and .* gives 16"):
        AestheticScore(clip, AestheticHead(tmp_path / "large.safetensors"))(PICTURES, [Request()] * 3)
