"""Stage 3 of the built-in model: its text encoder learns to read, before any picture is drawn.

Z-Image's encoder is a language model that already understands prompts; nano's starts from nothing. Left to learn from
pictures alone it picks up colours soon and places very late (docs/log.md). Here it learns to tell, from its feature of
the last token, what every caption says and what it leaves open. Then it is frozen, as Qwen3 is.
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
from ..data.captions import told_caption
from ..data.scenes import ATTRIBUTES, Scene, training_scenes

RECIPE = Recipe(steps=1500, lr=2e-3, warmup_steps=50, decay_part=0.5, ema_decay=0.99, seed=3)
BATCH = 256
UNTOLD = 0  # the class of an attribute a caption leaves open


class Reader(nn.Module):
    """The text encoder and one linear reading of each attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Qwen3(NANO_TEXT)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(NANO_TEXT.dim, 1 + len(values)) for name, values in ATTRIBUTES.items()}
        )
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))


def train_reader(reader: Reader, tokenizer: Tokenizer, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of every attribute, the untold ones included."""
    scenes = training_scenes()

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = [rng.choice(scenes) for _ in range(BATCH)]
        captions, told = zip(*(told_caption(scene, rng) for scene in drawn), strict=True)
        features = reader.text.encode([tokenize(tokenizer, caption).ids for caption in captions])
        last = torch.stack([feature[-1] for feature in features])  # (b, d)
        losses = [
            cross_entropy(
                head(last), torch.tensor([label(name, scene, said) for scene, said in zip(drawn, told, strict=True)])
            )
            for name, head in reader.heads.items()
        ]
        return torch.stack(losses).mean()

    yield from train(reader, loss_of_step, RECIPE, ema, folder)


def label(attribute: str, scene: Scene, told: frozenset[str]) -> int:
    """The class of an attribute: which value a caption tells, or that it tells none."""
    return 1 + ATTRIBUTES[attribute].index(getattr(scene, attribute)) if attribute in told else UNTOLD
