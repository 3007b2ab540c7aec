"""Stage 4 of the built-in model: the text encoder, trained on captions so far, learns instructions too.

It continues from stage 3. A part of every batch are captions, whose embeddings must not move, as a transformer may
already have been trained on them; the others are instructions in the chunk in which Omni puts them.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, rms_norm

from ..._shapes import Float
from ...text import Qwen3, Tokenizer, tokenize, tokenize_chunks
from ...training import Ema, Progress, Recipe, init_weights, train
from ..data.captions import caption_with_attributes
from ..data.edit_captions import Instruction, held_out_instruction, training_instruction
from ..data.edits import KINDS, held_out_edits, training_edit
from ..data.scenes import ATTRIBUTES, COLOURS, SHAPES, training_scenes

RECIPE = Recipe(steps=1000, lr=2e-3, warmup_steps=50, decay_part=0.6, ema_decay=0.99, seed=5)
CAPTIONS, INSTRUCTIONS = 48, 80  # in a batch
KEEP_WEIGHT = 20.0  # of the captions' features' relative squared change, against a mean cross-entropy of every reading
EMPTY_FRACTION = 0.05  # of captions are empty, as guidance needs them
CLASSES = {**ATTRIBUTES, "kind": KINDS, "named shape": SHAPES, "named colour": tuple(COLOURS)}
PROMPT = 1  # the chunk of an edit's prompt that has the words

Ids = tuple[int, ...]


class InstructionClassifier(nn.Module):
    """The text encoder and a linear head for each attribute that words can state; class 0 is not stated."""

    def __init__(self, text: Qwen3, classes: Mapping[str, Sequence[str]] = CLASSES) -> None:
        super().__init__()
        dim, self.classes = text.config.dim, classes
        self.heads = nn.ModuleDict({name: nn.Linear(dim, 1 + len(values)) for name, values in classes.items()})
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))
        self.text = deepcopy(text).requires_grad_(True)

    def read(self, features: Sequence[Float[Tensor, "_ d"]]) -> dict[str, Float[Tensor, "b k"]]:
        """Logits of every reading at the last tokens, which are normed as the transformer norms them."""
        last = torch.stack([feature[-1] for feature in features])  # (b, d)
        return {name: head(rms_norm(last, last.shape[-1:])) for name, head in self.heads.items()}


def train_instruction_classifier(
    classifier: InstructionClassifier, tokenizer: Tokenizer, ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Cross-entropy of every reading at the last token, and how far the features of captions have moved."""
    scenes = training_scenes()
    start = deepcopy(classifier.text).requires_grad_(False)

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        captions = [
            Instruction(text="")
            if rng.random() < EMPTY_FRACTION
            else Instruction(text=text, stated={name: getattr(scene, name) for name in stated})
            for scene in rng.choices(scenes, k=CAPTIONS)
            for text, stated in [caption_with_attributes(scene, rng)]
        ]
        instructions = [training_instruction(training_edit(rng), rng) for _ in range(INSTRUCTIONS)]
        plain = [tokenize(tokenizer, caption.text).ids for caption in captions]
        features = classifier.text.encode([*plain, *instruction_ids(tokenizer, instructions)])
        with torch.no_grad():
            kept = start.encode(plain)
        stated = [item.stated for item in (*captions, *instructions)]
        yield classification_loss(classifier, features, stated) + KEEP_WEIGHT * relative_change(
            features[:CAPTIONS], kept
        )

    yield from train(classifier, loss_of_step, RECIPE, ema, folder)


def instruction_ids(tokenizer: Tokenizer, instructions: Sequence[Instruction]) -> list[Ids]:
    """Token ids of the chunks that have the words."""
    return [tokenize_chunks(tokenizer, instruction.text, 1)[PROMPT].ids for instruction in instructions]


def classification_loss(
    classifier: InstructionClassifier, features: Sequence[Float[Tensor, "_ d"]], stated: Sequence[dict[str, str]]
) -> Float[Tensor, ""]:
    """Mean cross-entropy of all readings."""
    losses = [
        cross_entropy(row, torch.tensor([label(classifier.classes[name], values.get(name)) for values in stated]))
        for name, row in classifier.read(features).items()
    ]
    return torch.stack(losses).mean()


def label(values: Sequence[str], stated: str | None) -> int:
    """The class index of an attribute: its stated value, or 0 if it is not stated."""
    return 0 if stated is None else 1 + values.index(stated)


def relative_change(
    features: Sequence[Float[Tensor, "_ d"]], before: Sequence[Float[Tensor, "_ d"]]
) -> Float[Tensor, ""]:
    """Mean over tokens of the squared distance, as a part of the token's squared length."""
    now, then = torch.cat(list(features)), torch.cat(list(before))  # (n, d)
    return ((now - then).square().sum(-1) / then.square().sum(-1)).mean()


@torch.inference_mode()
def held_out_accuracy(classifier: InstructionClassifier, tokenizer: Tokenizer, language: str) -> dict[str, float]:
    """How often each reading is right on held-out edits in sentences that training never says."""
    rng = random.Random(0)
    said = [held_out_instruction(edit, language, rng) for edit in held_out_edits()]
    features = classifier.text.encode(instruction_ids(tokenizer, said))
    return reading_accuracy(classifier, features, [instruction.stated for instruction in said])


def reading_accuracy(
    classifier: InstructionClassifier, features: Sequence[Float[Tensor, "_ d"]], stated: Sequence[dict[str, str]]
) -> dict[str, float]:
    """How often each reading is right, and all of them at once."""
    right = {
        name: row.argmax(-1) == torch.tensor([label(classifier.classes[name], values.get(name)) for values in stated])
        for name, row in classifier.read(features).items()
    }
    return {
        **{name: row.float().mean().item() for name, row in right.items()},
        "all": torch.stack(list(right.values())).all(0).float().mean().item(),
    }
