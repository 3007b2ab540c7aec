"""Stage 14 of the built-in model: the text encoder, taught captions of one object and instructions, learns two objects.

It goes on from the file that is there. Half of every batch are captions and prompts of edits, whose embeddings must
not move, as the transformer that comes with them has been trained on them.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ...text import Qwen3, Tokenizer, tokenize, tokenize_chunks
from ...training import Ema, Progress, Recipe, train
from ..data.captions import training_caption
from ..data.combinations import training_sentence
from ..data.edit_captions import training_instruction
from ..data.edits import training_edit
from ..data.scenes import ATTRIBUTES, training_scenes
from ..data.two_objects import (
    HELD_OUT_TEMPLATES,
    fill_pair,
    held_out_pairs,
    stated_of,
    training_pair_caption,
    training_pairs,
)
from .instructions import (
    KEEP_WEIGHT,
    Ids,
    InstructionClassifier,
    classification_loss,
    reading_accuracy,
    relative_change,
)

RECIPE = Recipe(steps=600, lr=2e-3, warmup_steps=30, decay_part=0.6, ema_decay=0.99, seed=7)
PAIRS, CAPTIONS, INSTRUCTIONS, COMBINATIONS = 64, 32, 28, 4  # in a batch
SECOND = {f"second {name}": values for name, values in ATTRIBUTES.items() if name not in ("ground", "size")}
CLASSES = {**{name: values for name, values in ATTRIBUTES.items() if name != "size"}, **SECOND}


def pair_classifier(text: Qwen3) -> InstructionClassifier:
    """The text encoder with untrained heads for both objects of a caption."""
    return InstructionClassifier(text, CLASSES)


def train_pair_classifier(
    classifier: InstructionClassifier, tokenizer: Tokenizer, ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Cross-entropy of every reading at the last token, and how far the features of all other words have moved."""
    start = deepcopy(classifier.text).requires_grad_(False)

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        captions = [training_pair_caption(pair, rng) for pair in islice(training_pairs(rng), PAIRS)]
        known = known_ids(tokenizer, rng)
        features = classifier.text.encode([*(tokenize(tokenizer, words).ids for words, _ in captions), *known])
        with torch.no_grad():
            before = start.encode(known)
        loss = classification_loss(classifier, features[:PAIRS], [stated for _, stated in captions])
        yield loss + KEEP_WEIGHT * relative_change(features[PAIRS:], before)

    yield from train(classifier, loss_of_step, RECIPE, ema, folder)


def known_ids(tokenizer: Tokenizer, rng: random.Random) -> list[Ids]:
    """What the transformer has read so far: captions, an empty one among them, and all chunks of edits' prompts."""
    scenes = rng.choices(training_scenes(), k=CAPTIONS)
    ids = [tokenize(tokenizer, words).ids for words in ("", *(training_caption(scene, rng) for scene in scenes))]
    instructions = (training_instruction(training_edit(rng), rng).text for _ in range(INSTRUCTIONS))
    for words, n_pictures in (*((each, 1) for each in instructions), ("", 1)):
        ids += [chunk.ids for chunk in tokenize_chunks(tokenizer, words, n_pictures)][n_pictures:]
    for _ in range(COMBINATIONS):
        ids += [chunk.ids for chunk in tokenize_chunks(tokenizer, training_sentence(rng), 3)][3:]
    return [*ids, *(chunk.ids for n_pictures in (1, 3) for chunk in tokenize_chunks(tokenizer, "", n_pictures))]


@torch.inference_mode()
def held_out_accuracy(classifier: InstructionClassifier, tokenizer: Tokenizer, language: str) -> dict[str, float]:
    """How often each reading is right on held-out pairs in sentences that training never says."""
    rng = random.Random(0)
    said = [(rng.choice(HELD_OUT_TEMPLATES[language]), pair) for pair in held_out_pairs()]
    ids = [tokenize(tokenizer, fill_pair(template, pair, language, rng)).ids for template, pair in said]
    return reading_accuracy(classifier, classifier.text.encode(ids), [stated_of(*each) for each in said])
