"""Stage of nano's captioner: the writer goes on learning, with pictures' words before the question.

It continues from the writer's weights, and learns from the words that pictures really show; later a reader finds
them. A part of every batch are the writer's own requests, which must not be forgotten; the others are captions of one
picture, and instructions that lead from one picture to another. A few requests do not keep what was learned of riddles;
so it ends with a run at a lower rate, mostly of requests.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ...language.chat import chat
from ...text import Tokenizer
from ...training import Ema, Progress, Recipe, train
from ..captioner import written_question
from ..data.captions import LANGUAGES
from ..data.edit_captions import plain_instruction
from ..data.edits import training_edit
from ..data.picture_captions import DIFFERENCE, KINDS, picture_caption
from ..data.requests import training_request
from ..data.scenes import Composition, Scene, training_scenes
from ..picture_tokens import PLACE, word_ids, words_of
from .writer import ReadAndWritten, WriterNetwork, loss_of, padded, tokens_of

RECIPE = Recipe(steps=1500, lr=1.5e-3, warmup_steps=30, decay_part=0.6, ema_decay=0.99, seed=13)
LAST_RECIPE = Recipe(steps=900, lr=6e-4, warmup_steps=30, decay_part=0.6, ema_decay=0.99, seed=17)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Texts of a step."""

    requests: int
    captions: int
    differences: int


MIX = Mix(requests=5, captions=9, differences=8)
LAST_MIX = Mix(requests=20, captions=8, differences=2)


class CaptionerNetwork(nn.Module):
    """The writer, which finds words in places."""

    def __init__(self, writer: WriterNetwork, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.writer = writer
        (self.place,), self.words = tokenizer(PLACE), word_ids(tokenizer)

    def forward(self, ids: Tensor, seen: Tensor) -> Tensor:
        """Logits (b, n, v) of the token after each of `ids` (b, n), in which places hold the words `seen` (p, m, w)."""
        x = self.writer.text.embed(ids)
        words = seen @ self.writer.text.embed(torch.tensor([self.words]))[0]
        return self.writer.logits(x.masked_scatter((ids == self.place)[..., None], words.flatten(0, 1)))


@dataclass(frozen=True)
class Lesson:
    """Tokens that are read and written, and the pictures among those that are read."""

    tokens: ReadAndWritten
    pictures: list[Composition] = field(default_factory=list[Composition])


def train_captioner(
    network: CaptionerNetwork, tokenizer: Tokenizer, ema: Ema, folder: Path, recipe: Recipe, mix: Mix
) -> Iterator[Progress]:
    """Cross-entropy of captions, instructions and the writer's answers."""
    scenes = training_scenes()

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        lessons = [
            *(caption_lesson(rng.choice(scenes), tokenizer, rng) for _ in range(mix.captions)),
            *(difference_lesson(tokenizer, rng) for _ in range(mix.differences)),
            *(
                Lesson(tokens_of(training_request(rng.choice(scenes), rng), tokenizer, rng))
                for _ in range(mix.requests)
            ),
        ]
        ids, targets = padded([lesson.tokens for lesson in lessons])
        seen = words_of([picture for lesson in lessons for picture in lesson.pictures])
        yield loss_of(network(ids, seen), targets)

    yield from train(network, loss_of_step, recipe, ema, folder)


def caption_lesson(scene: Scene, tokenizer: Tokenizer, rng: random.Random) -> Lesson:
    """A picture and a caption of some kind."""
    kind, language = rng.choice(KINDS), rng.choice(LANGUAGES)
    return _lesson([scene.composition], kind, language, picture_caption(scene, kind, language, rng), tokenizer)


def difference_lesson(tokenizer: Tokenizer, rng: random.Random) -> Lesson:
    """Two pictures and the instruction that makes the second out of the first."""
    edit, language = training_edit(rng), rng.choice(LANGUAGES)
    return _lesson([edit.source, edit.target], DIFFERENCE, language, plain_instruction(edit, language).text, tokenizer)


def _lesson(pictures: list[Composition], kind: str, language: str, answer: str, tokenizer: Tokenizer) -> Lesson:
    read = chat(written_question(len(pictures), kind, language), thinking=False)
    return Lesson((tokenizer(read), tokenizer(f"{answer}<|im_end|>")), pictures)
