"""What nano's transformer learns from: the engine sees what the network is asked when it draws and edits."""

import random

import pytest
import torch

import tiny
from zimage_core.model import Reference
from zimage_core.nano.stages.by_recipe import stages_of_recipe, train_by_recipe
from zimage_core.nano.stages.drawn_examples import DrawnEdits, DrawnScenes
from zimage_core.text import tokenize, tokenize_chunks
from zimage_core.training.loop.micro_batches import Noised
from zimage_core.training.mixture import DrawnExamples
from zimage_core.training.objectives.noised import losses_of

SENTENCES = ("a fox", "a red fox in the snow", "a hare")


def tokenizer(words):
    return [ord(letter) % 600 for letter in words]


def words(index, rng):
    return f"{index} {rng.choice(SENTENCES)}"


@pytest.fixture
def latents(generator):
    return torch.randn(5, 16, 4, 4, generator=generator)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_words_come_from_the_step_and_are_read_as_a_prompt_is(latents):
    scenes = DrawnScenes(latents, words, tiny.text_encoder(), tokenizer)
    assert isinstance(scenes, DrawnExamples) and len(scenes) == 5
    found = scenes.drawn([3, 0, 3], seeded(1))
    rng = random.Random(int(torch.randint(2**31, (1,), generator=seeded(1))))
    for index, each in zip([3, 0, 3], found, strict=True):
        assert each.picture.draw(seeded(7)).equal(latents[index])
        [expected] = tiny.text_encoder().encode([tokenize(tokenizer, words(index, rng)).ids])
        torch.testing.assert_close(each.captions[0], expected)
    again, other = scenes.drawn([3] * 9, seeded(1)), scenes.drawn([3] * 9, seeded(2))
    assert all(a.captions[0].equal(b.captions[0]) for a, b in zip(again[:1], found[:1], strict=True))
    assert any(a.captions[0].shape != b.captions[0].shape for a, b in zip(again, other, strict=True))


@pytest.mark.parametrize("has_features", [True, False])
@torch.no_grad()
def test_the_loss_of_a_drawn_edit_is_that_of_the_plain_forward(latents, generator, has_features):
    seen = torch.randn(5, 2, 16, 4, 4, generator=generator)
    dit, text = tiny.omni(), tiny.text_encoder()
    features = torch.randn(5, 2, 3, 3, dit.config.siglip_feat_dim, generator=generator) if has_features else None
    edits = DrawnEdits(latents, seen, features, lambda index, rng: f"edit {index}", text, tokenizer)
    [example] = edits.drawn([4], generator)
    noise, sigma = torch.randn(16, 4, 4, generator=generator), torch.tensor(0.6)
    x0 = example.picture.draw(generator)
    [found] = losses_of(dit, [Noised(x0, noise, sigma, example.captions[0], example.seen)])[0]
    chunks = [text.encode([each.ids])[0] for each in tokenize_chunks(tokenizer, "edit 4", 2)]
    references = [Reference(seen[4, at], None if features is None else features[4, at]) for at in range(2)]
    noisy = (1 - sigma) * latents[4] + sigma * noise
    [velocity] = dit(noisy[None], sigma[None], [chunks], references=[references])
    torch.testing.assert_close(found, (velocity - (noise - latents[4])).square().mean(), rtol=1e-5, atol=0)


def test_a_stage_of_nano_is_its_recipe(latents, tmp_path):
    """The rate rises over 100 steps of 1200 and falls over the last three tenths, as it did when nano was made."""
    [stage] = stages_of_recipe("text_to_image")
    text = tiny.text_encoder()
    scenes = DrawnScenes(latents, words, text, tokenizer)
    run = train_by_recipe(tiny.dit(), stage, {"nano:all-scenes": scenes}, scenes.read([""])[0], tmp_path)
    first = next(run)
    assert (first.steps, first.lr) == (1200, pytest.approx(1.5e-5))
    run.close()
