"""Stage 7 of the built-in model: the text-to-image transformer learns to edit reference pictures.

It continues from stage 5's weights; only the branch for vision features is new. How it learns stands in
`recipes/nano/editing.toml`: every step mixes edits that come with vision features, edits that come with the latent
alone, combinations of three pictures, and plain text-to-image, which must not be forgotten.
"""

import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...config import NANO_OMNI_DIT
from ...model import S3DiT
from ...text import Qwen3, Tokenizer
from ...training import init_weights
from ...vae import Autoencoder, from_images
from ...vision import Siglip2
from ..data.combinations import training_combinations, training_sentence
from ..data.edit_captions import training_instruction
from ..data.edits import KINDS, Edit, training_edit
from ..picture_tokens import vision_inputs
from .bank_file import cached_tensors
from .drawn_examples import DrawnEdits

SEED = 6
N_EDITS, N_COMBINATIONS = 12288, 3072  # edits and combinations drawn beforehand
BATCH = 64  # are encoded at once


class EditBank(NamedTuple):
    """Edits with their pictures' latents and the features of what was there before."""

    edits: list[Edit]
    sources: Float[Tensor, "n z h w"]
    targets: Float[Tensor, "n z h w"]
    features: Float[Tensor, "n u v s"]


class CombinationBank(NamedTuple):
    """Latents of three pictures and of what is asked for, and features of the three."""

    latents: Float[Tensor, "n 4 z h w"]
    features: Float[Tensor, "n 3 u v s"]


@torch.inference_mode()
def edit_bank(vae: Autoencoder, tower: Siglip2, file: Path) -> EditBank:
    """The same training edits on every machine, every kind equally often; their tensors are cached in `file`."""
    rng = random.Random(SEED)
    edits = [training_edit(rng, KINDS[index % len(KINDS)]) for index in range(N_EDITS)]

    def encode() -> dict[str, Tensor]:
        rows = [encode_pairs(vae, tower, edits[first : first + BATCH], first) for first in range(0, len(edits), BATCH)]
        names = ("sources", "targets", "features")
        return {name: torch.cat(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}

    return EditBank(edits, **cached_tensors(file, encode))


@torch.inference_mode()
def combination_bank(vae: Autoencoder, tower: Siglip2, file: Path) -> CombinationBank:
    """The same training combinations on every machine, cached in `file`."""

    def encode() -> dict[str, Tensor]:
        drawn = islice(training_combinations(random.Random(SEED)), N_COMBINATIONS)
        rows = [encode_combination(vae, tower, each.render(seed)) for seed, each in enumerate(drawn)]
        latents, features = zip(*rows, strict=True)
        return {"latents": torch.stack(latents), "features": torch.stack(features)}

    return CombinationBank(**cached_tensors(file, encode))


def encode_combination(
    vae: Autoencoder, tower: Siglip2, pictures: Sequence[Image.Image]
) -> tuple[Float[Tensor, "4 z h w"], Float[Tensor, "3 u v s"]]:
    """Latents of all four pictures, features of the three that are looked at."""
    return vae.encode(from_images(pictures)), tower(vision_inputs(pictures[:3]))


def encode_pairs(
    vae: Autoencoder, tower: Siglip2, edits: Sequence[Edit], seed: int
) -> tuple[Float[Tensor, "b z h w"], Float[Tensor, "b z h w"], Float[Tensor, "b u v s"]]:
    """Latents of the pictures before and after, and features of those before."""
    before, after = zip(*(edit.render(seed + index) for index, edit in enumerate(edits)), strict=True)
    return vae.encode(from_images(before)), vae.encode(from_images(after)), tower(vision_inputs(before))


def add_vision_branch(text_to_image: S3DiT) -> S3DiT:
    """The transformer of stage 5 with an untrained branch for vision features."""
    dit = S3DiT(NANO_OMNI_DIT)
    init_weights(dit, torch.Generator().manual_seed(SEED))
    dit.load_state_dict(text_to_image.state_dict(), strict=False)
    return dit


def drawn_edits(bank: EditBank, text: Qwen3, tokenizer: Tokenizer, *, has_features: bool) -> DrawnEdits:
    """The bank's edits, with instructions."""
    return DrawnEdits(
        bank.targets,
        bank.sources[:, None],
        bank.features[:, None] if has_features else None,
        lambda index, rng: training_instruction(bank.edits[index], rng).text,
        text,
        tokenizer,
    )


def drawn_combinations(bank: CombinationBank, text: Qwen3, tokenizer: Tokenizer, *, has_features: bool) -> DrawnEdits:
    """The bank's combinations, in sentences that fit them all."""
    return DrawnEdits(
        bank.latents[:, 3],
        bank.latents[:, :3],
        bank.features if has_features else None,
        lambda index, rng: training_sentence(rng),
        text,
        tokenizer,
    )
