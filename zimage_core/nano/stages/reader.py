"""Stage of nano's captioner, its first: a reader learns to name what the tower's patches show.

The tower stays as it is. Its features of many compositions are kept in a file, as drawing them takes the longest.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..._shapes import Float
from ...training import Ema, Progress, Recipe, init_weights, train
from ...vision import Siglip2
from ..data.render import render_composition
from ..data.scenes import GROUNDS, Composition
from ..picture_tokens import OBJECT_ATTRIBUTES, PictureReader, patch_features
from .bank_file import cached_tensors
from .vision import object_labels, training_composition

RECIPE = Recipe(
    steps=3000, lr=5e-3, warmup_steps=50, decay_part=0.95, weight_decay=0.02, ema_decay=0.99, seed=14, save_every=500
)
N_PICTURES, BATCH, AT_ONCE = 24000, 192, 200


class PictureBank(NamedTuple):
    """Compositions, and the features of a picture of each."""

    compositions: list[Composition]
    features: Float[Tensor, "p n c"]


def untrained_reader() -> PictureReader:
    """A reader with random weights."""
    reader = PictureReader()
    init_weights(reader, torch.Generator().manual_seed(RECIPE.seed))
    return reader


@torch.inference_mode()
def picture_bank(tower: Siglip2, file: Path) -> PictureBank:
    """The same training pictures on every machine, none of a scene that is held out."""
    rng = random.Random(RECIPE.seed)
    compositions = [training_composition(rng) for _ in range(N_PICTURES)]
    pictures = (render_composition(each, [rng.randrange(2**31) for _ in each.objects]) for each in compositions)

    def see() -> dict[str, Tensor]:
        batches = (compositions[first : first + AT_ONCE] for first in range(0, N_PICTURES, AT_ONCE))
        return {"features": torch.cat([patch_features(tower, [next(pictures) for _ in part]) for part in batches])}

    return PictureBank(compositions, **cached_tensors(file, see))


def train_reader(reader: PictureReader, bank: PictureBank, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of every attribute of every shape, and of the ground."""
    labels = {name: object_labels(name, bank.compositions) for name in OBJECT_ATTRIBUTES}
    grounds = torch.tensor([GROUNDS.index(each.ground) for each in bank.compositions])

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        chosen = torch.randint(len(grounds), (BATCH,), generator=generator)
        attributes, ground = reader(bank.features[chosen].clone())
        losses = [
            cross_entropy(logits.flatten(0, 1), labels[name][chosen].flatten()) for name, logits in attributes.items()
        ]
        yield torch.stack([*losses, cross_entropy(ground, grounds[chosen])]).sum()

    yield from train(reader, loss_of_step, RECIPE, ema, folder)
