"""Edits in training: what is learned from is what the network would be asked, masks and dropout included."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from zimage_core.data import Example
from zimage_core.model import Reference, S3DiT
from zimage_core.recipes import Source
from zimage_core.text import tokenize_chunks
from zimage_core.training.encoded import encoders_of
from zimage_core.training.encoded_files import EncodedSet
from zimage_core.training.flow_training import FlowMatching, TrainingSet, divided, flow_matching_step
from zimage_core.training.loop.micro_batches import Noised, micro_batches
from zimage_core.training.mask_weights import mask_weights
from zimage_core.training.objectives.noised import losses_of
from zimage_core.vae import from_images
from zimage_core.vision import prepare

AREA = 48 * 32


def tokenizer(words):
    return [ord(letter) % 600 for letter in words]


@pytest.fixture
def picture(tmp_path):
    def draw(name, size=(48, 32)):
        rng = np.random.default_rng(len(name))
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(tmp_path / name)
        return tmp_path / name

    return draw


@pytest.fixture
def encoders(tmp_path):
    return encoders_of(tiny.vae(), tiny.text_encoder(), tokenizer, tmp_path / "encoded", tiny.vision())


@pytest.fixture
def pair(picture):
    return Example(
        picture=picture("target.png"),
        captions=("make it red", "把它变红"),
        references=(picture("a.png"), picture("second.png", (32, 32))),
    )


def omni():
    """The tiny network with the width of the tiny tower."""
    return tiny.fill(S3DiT(replace(tiny.OMNI_DIT, siglip_feat_dim=tiny.VISION.dim)))


@torch.no_grad()
def test_the_loss_of_an_edit_is_that_of_the_plain_forward(encoders, pair, generator):
    example, dit = encoders.example(pair, AREA), omni()
    x0 = example.picture.mean
    noise, sigma = torch.randn(x0.shape, generator=generator), torch.tensor(0.7)
    [found] = losses_of(dit, [Noised(x0, noise, sigma, example.captions[1], example.seen)])[0]

    opened = [Image.open(file).convert("RGB") for file in pair.references]
    references = [
        Reference(
            tiny.vae().encode(from_images([each]))[0],
            tiny.vision()(prepare(torch.from_numpy(np.asarray(each) / np.float32(255)), tiny.VISION)[None])[0],
        )
        for each in opened
    ]
    chunks = [tiny.text_encoder().encode([each.ids])[0] for each in tokenize_chunks(tokenizer, pair.captions[1], 2)]
    noisy = (1 - sigma) * x0 + sigma * noise
    [velocity] = dit(noisy[None], sigma[None], [chunks], references=[references])
    torch.testing.assert_close(found, (velocity - (noise - x0)).square().mean(), rtol=1e-5, atol=0)


def test_a_dropped_instruction_keeps_its_pictures(encoders, pair):
    seen = encoders.example(pair, AREA).seen
    expected = [tiny.text_encoder().encode([each.ids])[0] for each in tokenize_chunks(tokenizer, "", 2)]
    for found, wanted in zip(seen.chunks(seen.no_caption), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_edits_of_every_kind_go_into_one_step(encoders, pair, picture):
    single = Example(picture=picture("b.png", (32, 32)), captions=("turn it",), references=(picture("a.png"),))
    plain = Example(picture=picture("c.png"), captions=("a fox",))
    examples = [encoders.example(each, AREA) for each in (pair, single, plain)]
    dataset = TrainingSet(examples=examples, no_caption=encoders.caption(""))

    def loss(budget):
        step_of = FlowMatching(batch=6, token_budget=budget, caption_dropout=0.4)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            return sum(each.item() for each in flow_matching_step(omni(), dataset, step_of, 3, 2, generator))

    assert loss(1) == pytest.approx(loss(10_000), rel=1e-5)


def test_tokens_are_those_of_the_sequence(encoders, pair):
    example = encoders.example(pair, AREA)
    x0 = example.picture.mean
    noised = Noised(x0, x0, torch.tensor(0.5), example.captions[0], example.seen)
    dit = omni()
    condition = dit.prepare_with_references([noised.chunks], [example.seen.references], x0.shape[-2:])
    assert noised.tokens == condition.joint_rope.shape[1]
    assert [len(group) for group in micro_batches([noised] * 5, 2 * noised.tokens)] == [2, 2, 1]


def test_a_mask_leaves_out_what_is_black(encoders, pair, picture, tmp_path, generator):
    """The loss is the mean over the white half alone."""
    half = np.zeros((32, 48), np.uint8)
    half[:, :16] = 255
    Image.fromarray(half).save(tmp_path / "mask.png")
    example = encoders.example(Example(picture=picture("c.png"), captions=("a fox",), mask=tmp_path / "mask.png"), AREA)
    assert torch.equal(example.weight, torch.tensor([3.0, 3, 0, 0, 0, 0]).expand(4, 6))
    x0 = example.picture.mean
    noise, sigma, dit = torch.randn(x0.shape, generator=generator), torch.tensor(0.5), tiny.dit()
    with torch.no_grad():
        group = [Noised(x0, noise, sigma, example.captions[0], weight=each) for each in (example.weight, None)]
        found, whole = losses_of(dit, group)[0]
        velocity = dit((x0 + noise)[None] / 2, sigma[None], [example.captions[0]])[0]
    errors = (velocity - (noise - x0)).square()
    torch.testing.assert_close(found, errors[..., :2].mean())
    torch.testing.assert_close(whole, errors.mean())
    with pytest.raises(ValueError, match="black everywhere"):
        mask_weights(Image.new("L", (48, 32)), (48, 32), AREA, tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"mask\.png has 32x32 pixels, but its picture 48x32"):
        mask_weights(Image.new("L", (32, 32)), (48, 32), AREA, tmp_path / "mask.png")


def test_repeats_count_in_training_and_what_validates_is_never_trained_on(encoders, picture, tmp_path):
    files = [
        encoders.files(Example(picture=picture(f"{'x' * n}.png"), captions=("x",), repeats=3), AREA)
        for n in range(1, 12)
    ]
    sources = [Source(folder=tmp_path)]
    trained, validated = divided(EncodedSet(encoders.folder, files), [10], sources, encoders.caption(""))
    [part] = trained.examples.parts
    names = [each.picture for each in part.examples.files]
    assert len(names) == 27 and len(set(names)) == 9 and len(validated) == 1 and len(trained.regularization) == 3
    assert validated.files[0].picture not in names


@pytest.mark.parametrize("size", [(1, 1), (600, 4)])
def test_a_picture_without_a_patch_is_named(encoders, picture, size):
    with pytest.raises(ValueError, match=r"thin\.png cannot be trained on.*too small"):
        encoders.files(Example(picture=picture("thin.png", size), captions=("x",)), AREA)
