"""Stage 3 of the built-in model: its text encoder learns captions before the transformer is trained.

Z-Image's encoder is a language model that already understands prompts; nano's starts from nothing. Trained only
through the pictures it learns colours early and positions very late (docs/log.md). Here it learns to classify, from the
embedding of the last token, which attributes every caption states and their values. Then it is frozen, as Qwen3 is.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...config import NANO_TEXT
from ...text import Qwen3, Tokenizer, tokenize
from ...training import Ema, Progress, Recipe, init_weights, train
from ..data.captions import caption_with_attributes
from ..data.scenes import ATTRIBUTES, Scene, training_scenes

RECIPE = Recipe(steps=1500, lr=2e-3, warmup_steps=50, decay_part=0.5, ema_decay=0.99, seed=3)
BATCH = 256
NOT_STATED = 0  # the class of an attribute that a caption does not state


class CaptionClassifier(nn.Module):
    """The text encoder and a linear head for each attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Qwen3(NANO_TEXT)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(NANO_TEXT.dim, 1 + len(values)) for name, values in ATTRIBUTES.items()}
        )
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))


def train_caption_classifier(
    classifier: CaptionClassifier, tokenizer: Tokenizer, ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Cross-entropy of every attribute, those not stated included."""
    scenes = training_scenes()

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = [rng.choice(scenes) for _ in range(BATCH)]
        captions, stated = zip(*(caption_with_attributes(scene, rng) for scene in drawn), strict=True)
        features = classifier.text.encode([tokenize(tokenizer, caption).ids for caption in captions])
        last = torch.stack([feature[-1] for feature in features])  # (b, d)
        losses = [
            cross_entropy(
                head(last), torch.tensor([label(name, scene, said) for scene, said in zip(drawn, stated, strict=True)])
            )
            for name, head in classifier.heads.items()
        ]
        yield torch.stack(losses).mean()

    yield from train(classifier, loss_of_step, RECIPE, ema, folder)


def label(attribute: str, scene: Scene, stated: frozenset[str]) -> int:
    """The class of an attribute: which value a caption tells, or that it tells none."""
    return 1 + ATTRIBUTES[attribute].index(getattr(scene, attribute)) if attribute in stated else NOT_STATED
