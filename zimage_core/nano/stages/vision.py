"""Stage 6 of the built-in model: a tiny SigLIP-layout tower learns to classify what a picture shows.

SigLIP 2 is pretrained; nano's tower starts from random weights. From each of its 16 features it learns what covers that
patch, and from their mean the attributes of every object in the picture.

Letters: b batch, n patches, c width, k classes.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, reduce
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from ..._shapes import Float, Int
from ...config import NANO_VISION
from ...training import Ema, Progress, Recipe, init_weights, train
from ...vision import Siglip2
from ..data.edits import random_objects
from ..data.render import coverage, render_composition
from ..data.scenes import ATTRIBUTES, COLOURS, GROUNDS, SHAPES, Composition
from ..picture_tokens import vision_inputs

RECIPE = Recipe(steps=1200, lr=2e-3, warmup_steps=50, decay_part=0.6, ema_decay=0.99, seed=6)
BATCH = 96
COUNTS = (0, 1, 1, 1, 1, 2, 2, 2, 2, 2)  # objects of a picture are drawn from these
HIDDEN = 192  # width of the whole picture's heads
OBJECT_ATTRIBUTES = {name: ATTRIBUTES[name] for name in ("colour", "size", "row", "column")}  # of each shape


class VisionClassifier(nn.Module):
    """The tower, linear heads for every patch, and heads for the whole picture; class 0 is no object."""

    def __init__(self) -> None:
        super().__init__()
        dim = NANO_VISION.dim
        self.tower = Siglip2(NANO_VISION)
        self.patch = nn.ModuleDict(
            {
                "shape": nn.Linear(dim, 1 + len(SHAPES)),
                "colour": nn.Linear(dim, 1 + len(COLOURS)),
                "ground": nn.Linear(dim, len(GROUNDS)),
            }
        )
        self.whole = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(dim, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, len(SHAPES) * (1 + len(values)))
                )
                for name, values in OBJECT_ATTRIBUTES.items()
            }
        )
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))

    def objects(self, features: Float[Tensor, "b gh gw c"]) -> dict[str, Float[Tensor, "b s k"]]:
        """Logits of each attribute for every shape, from the mean feature; class 0 is no object of that shape."""
        mean = reduce(features, "b gh gw c -> b c", "mean")
        return {name: rearrange(head(mean), "b (s k) -> b s k", s=len(SHAPES)) for name, head in self.whole.items()}


def train_vision_classifier(classifier: VisionClassifier, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of every head; targets of patches are the fractions covered by each class."""

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = [training_composition(rng) for _ in range(BATCH)]
        seeds = [[rng.randrange(2**31) for _ in composition.objects] for composition in drawn]
        pictures = [render_composition(*each) for each in zip(drawn, seeds, strict=True)]
        features = classifier.tower(vision_inputs(pictures))
        losses = [
            *(
                cross_entropy(logits.flatten(0, 1), object_labels(name, drawn).flatten())
                for name, logits in classifier.objects(features).items()
            ),
            *patch_losses(classifier, features, drawn, seeds),
        ]
        yield torch.stack(losses).mean()

    yield from train(classifier, loss_of_step, RECIPE, ema, folder)


def training_composition(rng: random.Random) -> Composition:
    """Up to two objects, none as in a scene that is held out."""
    while True:
        drawn = Composition(ground=rng.choice(GROUNDS), objects=random_objects(rng, rng.choice(COUNTS)))
        if not drawn.shows_held_out_scene:
            return drawn


def object_labels(name: str, drawn: Sequence[Composition]) -> Int[Tensor, "b s"]:
    """An attribute's class for every shape: 0 where a picture has no such object."""
    labels = torch.zeros(len(drawn), len(SHAPES), dtype=torch.long)
    for row, composition in zip(labels, drawn, strict=True):
        for obj in composition.objects:
            row[SHAPES.index(obj.shape)] = 1 + OBJECT_ATTRIBUTES[name].index(getattr(obj, name))
    return labels


def patch_losses(
    classifier: VisionClassifier,
    features: Float[Tensor, "b gh gw c"],
    drawn: Sequence[Composition],
    seeds: Sequence[Sequence[int]],
) -> Iterator[Float[Tensor, ""]]:
    """Cross-entropies of the shapes and colours that cover a patch, in their proportions, and of the ground."""
    covered = patch_coverage(drawn, seeds)
    for name, values in (("shape", SHAPES), ("colour", tuple(COLOURS))):
        parts = torch.zeros(*features.shape[:3], 1 + len(values))
        for index, composition in enumerate(drawn):
            for obj, cover in zip(composition.objects, covered[index], strict=True):
                parts[index, ..., 1 + values.index(getattr(obj, name))] += cover
        parts[..., 0] = 1 - parts.sum(-1)
        yield -(parts * log_softmax(classifier.patch[name](features), -1)).sum(-1).mean()
    grounds = torch.tensor([GROUNDS.index(composition.ground) for composition in drawn])
    logits = rearrange(classifier.patch["ground"](features), "b gh gw k -> b k gh gw")
    yield cross_entropy(logits, grounds[:, None, None].expand(-1, *features.shape[1:3]))


def patch_coverage(drawn: Sequence[Composition], seeds: Sequence[Sequence[int]]) -> list[list[Float[Tensor, "gh gw"]]]:
    """The part of every patch that each object of each picture covers."""

    def of_patches(mask: Image.Image) -> Tensor:
        parts = np.asarray(mask.reduce(NANO_VISION.patch_size)).astype(np.float32) / np.float32(255)
        return torch.from_numpy(parts)

    return [
        [of_patches(coverage(obj, seed)) for obj, seed in zip(composition.objects, own, strict=True)]
        for composition, own in zip(drawn, seeds, strict=True)
    ]


@torch.inference_mode()
def vision_accuracy(classifier: VisionClassifier, n: int = 512) -> dict[str, float]:
    """How often each attribute of objects that are there is read, and a missing object missed, on fresh pictures."""
    rng = random.Random(0)
    drawn = [training_composition(rng) for _ in range(n)]
    pictures = [
        render_composition(composition, [rng.randrange(2**31) for _ in composition.objects]) for composition in drawn
    ]
    features = classifier.tower(vision_inputs(pictures))
    rates: dict[str, float] = {}
    for name, logits in classifier.objects(features).items():
        labels = object_labels(name, drawn)
        right = logits.argmax(-1) == labels
        rates[name] = right[labels > 0].float().mean().item()
        rates["no object"] = min(rates.get("no object", 1.0), right[labels == 0].float().mean().item())
    grounds = torch.tensor([GROUNDS.index(composition.ground) for composition in drawn])
    rates["ground"] = (classifier.patch["ground"](features).argmax(-1) == grounds[:, None, None]).float().mean().item()
    return rates
