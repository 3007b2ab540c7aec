"""Stage 7 of the built-in model: the text-to-image transformer learns to edit reference pictures.

It continues from stage 5's weights; only the branch for vision features is new. Every step mixes edits that come with
vision features, edits that come with the latent alone, combinations of three pictures, and plain text-to-image, which
must not be forgotten.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...config import NANO_OMNI_DIT
from ...model import Reference, S3DiT
from ...text import Qwen3, Tokenizer, tokenize, tokenize_chunks
from ...training import Ema, Progress, Recipe, flow_matching_loss, init_weights, logit_normal_sigmas, train
from ...vae import Autoencoder, from_images
from ...vision import Siglip2
from ..data.captions import training_caption
from ..data.combinations import training_combinations, training_sentence
from ..data.edit_captions import training_instruction
from ..data.edits import KINDS, Edit, training_edit
from ..data.scenes import Scene
from ..picture_tokens import vision_inputs
from .bank_file import cached_tensors
from .transformer import CAPTION_DROPOUT, RENDERS_PER_SCENE, SIGMA_SHIFT

RECIPE = Recipe(steps=1700, lr=1e-3, warmup_steps=50, decay_part=0.4, seed=6, save_every=100)
FEATURES_FROM_STEP = 400  # before it only edits of one latent, which teach copying at a third of the cost
EDITS_PER_BATCH, COMBINATIONS_PER_BATCH, CAPTIONS_PER_BATCH = 20, 8, 16  # a step has two batches of edits
N_EDITS, N_COMBINATIONS = 12288, 3072  # edits and combinations drawn beforehand
BATCH = 64  # are encoded at once
EDIT_SHIFT = 2.5  # what to change is decided where there is much noise


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


class SceneBank(NamedTuple):
    """Scenes with latents of several renders each."""

    scenes: list[Scene]
    latents: Float[Tensor, "n r z h w"]


@torch.inference_mode()
def edit_bank(vae: Autoencoder, tower: Siglip2, file: Path) -> EditBank:
    """The same training edits on every machine, every kind equally often; their tensors are cached in `file`."""
    rng = random.Random(RECIPE.seed)
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
        drawn = islice(training_combinations(random.Random(RECIPE.seed)), N_COMBINATIONS)
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
    init_weights(dit, torch.Generator().manual_seed(RECIPE.seed))
    dit.load_state_dict(text_to_image.state_dict(), strict=False)
    return dit


def train_editing(
    dit: S3DiT,
    text: Qwen3,
    tokenizer: Tokenizer,
    banks: tuple[EditBank, CombinationBank, SceneBank],
    ema: Ema,
    folder: Path,
) -> Iterator[Progress]:
    """Flow matching toward what an instruction asks of pictures, beside flow matching on captions."""
    edits, combinations, scenes = banks

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        uses_features = step >= FEATURES_FROM_STEP
        batches = [
            edit_batch(edits, rng, generator, has_features=uses_features),
            edit_batch(edits, rng, generator, has_features=False),
        ]
        if uses_features:
            batches.append(combination_batch(combinations, rng, generator, has_features=step % 2 == 0))
        losses = [len(batch.words) * edit_loss(dit, text, tokenizer, batch, rng, generator) for batch in batches]
        losses.append(CAPTIONS_PER_BATCH * picture_loss(dit, text, tokenizer, scenes, rng, generator))
        yield torch.stack(losses).sum() / (CAPTIONS_PER_BATCH + sum(len(batch.words) for batch in batches))

    yield from train(dit, loss_of_step, RECIPE, ema, folder)


class Batch(NamedTuple):
    """Instructions, what each looks at, and what it asks for."""

    words: list[str]
    references: list[list[Reference]]
    targets: Float[Tensor, "b z h w"]


def edit_batch(bank: EditBank, rng: random.Random, generator: torch.Generator, *, has_features: bool) -> Batch:
    """Edits of one picture each."""
    chosen = torch.randint(len(bank.edits), (EDITS_PER_BATCH,), generator=generator).tolist()
    words = [training_instruction(bank.edits[index], rng).text for index in chosen]
    recognized = [[Reference(bank.sources[index], bank.features[index] if has_features else None)] for index in chosen]
    return Batch(words, recognized, bank.targets[chosen])


def combination_batch(
    bank: CombinationBank, rng: random.Random, generator: torch.Generator, *, has_features: bool
) -> Batch:
    """Combinations of three pictures each."""
    chosen = torch.randint(len(bank.latents), (COMBINATIONS_PER_BATCH,), generator=generator).tolist()
    words = [training_sentence(rng) for _ in chosen]
    recognized = [
        [Reference(bank.latents[index, at], bank.features[index, at] if has_features else None) for at in range(3)]
        for index in chosen
    ]
    return Batch(words, recognized, bank.latents[chosen, 3])


def edit_loss(
    dit: S3DiT, text: Qwen3, tokenizer: Tokenizer, batch: Batch, rng: random.Random, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Of one batch of instructions, all about equally many pictures."""
    chunks = encode_chunks(text, tokenizer, [drop_caption(each, rng) for each in batch.words], len(batch.references[0]))
    return flow_matching_loss(
        lambda noisy, sigma: torch.stack(list(dit(noisy, sigma, chunks, references=batch.references))),
        batch.targets,
        torch.randn(batch.targets.shape, generator=generator),
        logit_normal_sigmas(len(batch.words), generator, EDIT_SHIFT),
    )


def picture_loss(
    dit: S3DiT, text: Qwen3, tokenizer: Tokenizer, bank: SceneBank, rng: random.Random, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Of one batch of captions, as in stage 5."""
    chosen = torch.randint(len(bank.scenes), (CAPTIONS_PER_BATCH,), generator=generator).tolist()
    drawn = torch.randint(RENDERS_PER_SCENE, (CAPTIONS_PER_BATCH,), generator=generator)
    words = [drop_caption(training_caption(bank.scenes[index], rng), rng) for index in chosen]
    with torch.no_grad():
        captions = text.encode([tokenize(tokenizer, each).ids for each in words])
    targets = bank.latents[chosen, drawn]
    return flow_matching_loss(
        lambda noisy, sigma: torch.stack(list(dit(noisy, sigma, captions))),
        targets,
        torch.randn(targets.shape, generator=generator),
        logit_normal_sigmas(len(chosen), generator, SIGMA_SHIFT),
    )


@torch.no_grad()
def encode_chunks(
    text: Qwen3, tokenizer: Tokenizer, prompts: Sequence[str], n_references: int = 1
) -> list[list[Tensor]]:
    """Features of every chunk of prompts about so many pictures each."""
    ids = [[chunk.ids for chunk in tokenize_chunks(tokenizer, prompt, n_references)] for prompt in prompts]
    features = iter(text.encode([chunk for prompt in ids for chunk in prompt]))
    return [[next(features) for _ in prompt] for prompt in ids]


def drop_caption(words: str, rng: random.Random) -> str:
    """Caption dropout, for classifier-free guidance."""
    return "" if rng.random() < CAPTION_DROPOUT else words
