"""Stage 6 of the built-in model: a tiny SigLIP-layout tower learns to tell what a picture shows.

SigLIP 2 has seen the world; nano's tower starts from nothing. From each of its 16 features it learns to tell what
covers that patch, and from all of them together what every object of the picture is and where it stands.

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
from ...vision import Siglip2, prepare
from ..data.edits import apart_things
from ..data.render import coverage, pixels, render_composition
from ..data.scenes import ATTRIBUTES, COLOURS, GROUNDS, SHAPES, Composition

RECIPE = Recipe(steps=1200, lr=2e-3, warmup_steps=50, decay_part=0.6, ema_decay=0.99, seed=6)
BATCH = 96
COUNTS = (0, 1, 1, 1, 1, 2, 2, 2, 2, 2)  # objects of a picture are drawn from these
HIDDEN = 192  # of the readings of a whole picture
OF_OBJECTS = {name: ATTRIBUTES[name] for name in ("colour", "size", "row", "column")}  # told for every shape there is


class VisionReader(nn.Module):
    """The tower, linear readings of every patch, and readings of the whole picture; class 0 is nothing."""

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
                for name, values in OF_OBJECTS.items()
            }
        )
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))

    def objects(self, features: Float[Tensor, "b gh gw c"]) -> dict[str, Float[Tensor, "b s k"]]:
        """What the mean feature tells of every shape: logits of each attribute, 0 where there is no such object."""
        mean = reduce(features, "b gh gw c -> b c", "mean")
        return {name: rearrange(head(mean), "b (s k) -> b s k", s=len(SHAPES)) for name, head in self.whole.items()}


def train_vision_reader(reader: VisionReader, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of every reading, of patches against what part of them is covered by what."""

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = [training_composition(rng) for _ in range(BATCH)]
        seeds = [[rng.randrange(2**31) for _ in composition.things] for composition in drawn]
        pictures = [render_composition(*each) for each in zip(drawn, seeds, strict=True)]
        features = reader.tower(look_at(pictures))
        losses = [
            *(
                cross_entropy(logits.flatten(0, 1), object_labels(name, drawn).flatten())
                for name, logits in reader.objects(features).items()
            ),
            *patch_losses(reader, features, drawn, seeds),
        ]
        return torch.stack(losses).mean()

    yield from train(reader, loss_of_step, RECIPE, ema, folder)


def training_composition(rng: random.Random) -> Composition:
    """Up to two objects, none as in a scene that is held out."""
    while True:
        drawn = Composition(ground=rng.choice(GROUNDS), things=apart_things(rng, rng.choice(COUNTS)))
        if not drawn.shows_held_out_scene:
            return drawn


def look_at(pictures: Sequence[Image.Image]) -> Float[Tensor, "b 3 H W"]:
    """Pictures of one size as the tower reads them."""
    return torch.stack([prepare(torch.from_numpy(pixels(picture)), NANO_VISION) for picture in pictures])


def object_labels(name: str, drawn: Sequence[Composition]) -> Int[Tensor, "b s"]:
    """An attribute's class for every shape: 0 where a picture has no such object."""
    labels = torch.zeros(len(drawn), len(SHAPES), dtype=torch.long)
    for row, composition in zip(labels, drawn, strict=True):
        for thing in composition.things:
            row[SHAPES.index(thing.shape)] = 1 + OF_OBJECTS[name].index(getattr(thing, name))
    return labels


def patch_losses(
    reader: VisionReader,
    features: Float[Tensor, "b gh gw c"],
    drawn: Sequence[Composition],
    seeds: Sequence[Sequence[int]],
) -> Iterator[Float[Tensor, ""]]:
    """Cross-entropies of the shapes and colours that cover a patch, in their proportions, and of the ground."""
    covered = patch_coverage(drawn, seeds)
    for name, values in (("shape", SHAPES), ("colour", tuple(COLOURS))):
        parts = torch.zeros(*features.shape[:3], 1 + len(values))
        for index, composition in enumerate(drawn):
            for thing, cover in zip(composition.things, covered[index], strict=True):
                parts[index, ..., 1 + values.index(getattr(thing, name))] += cover
        parts[..., 0] = 1 - parts.sum(-1)
        yield -(parts * log_softmax(reader.patch[name](features), -1)).sum(-1).mean()
    grounds = torch.tensor([GROUNDS.index(composition.ground) for composition in drawn])
    logits = rearrange(reader.patch["ground"](features), "b gh gw k -> b k gh gw")
    yield cross_entropy(logits, grounds[:, None, None].expand(-1, *features.shape[1:3]))


def patch_coverage(drawn: Sequence[Composition], seeds: Sequence[Sequence[int]]) -> list[list[Float[Tensor, "gh gw"]]]:
    """The part of every patch that each object of each picture covers."""

    def of_patches(mask: Image.Image) -> Tensor:
        parts = np.asarray(mask.reduce(NANO_VISION.patch_size)).astype(np.float32) / np.float32(255)
        return torch.from_numpy(parts)

    return [
        [of_patches(coverage(thing, seed)) for thing, seed in zip(composition.things, own, strict=True)]
        for composition, own in zip(drawn, seeds, strict=True)
    ]


@torch.inference_mode()
def vision_accuracy(reader: VisionReader, n: int = 512) -> dict[str, float]:
    """How often each attribute of objects that are there is read, and a missing object missed, on fresh pictures."""
    rng = random.Random(0)
    drawn = [training_composition(rng) for _ in range(n)]
    pictures = [
        render_composition(composition, [rng.randrange(2**31) for _ in composition.things]) for composition in drawn
    ]
    features = reader.tower(look_at(pictures))
    rates: dict[str, float] = {}
    for name, logits in reader.objects(features).items():
        labels = object_labels(name, drawn)
        right = logits.argmax(-1) == labels
        rates[name] = right[labels > 0].float().mean().item()
        rates["no object"] = min(rates.get("no object", 1.0), right[labels == 0].float().mean().item())
    grounds = torch.tensor([GROUNDS.index(composition.ground) for composition in drawn])
    rates["ground"] = (reader.patch["ground"](features).argmax(-1) == grounds[:, None, None]).float().mean().item()
    return rates
