"""Stage 6 of the built-in model: the transformer that can draw learns to look at a picture and to change it.

It goes on from stage 5's weights; only the branch for vision features is new. Every step mixes edits that come with
vision features, edits that come with the latent alone, and plain text-to-image, which must not be forgotten.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from .._shapes import Float
from ..config import NANO_OMNI
from ..model import Reference, S3DiT
from ..text import Qwen3, Tokenizer, tokenize, tokenize_chunks
from ..training import Ema, Progress, Recipe, flow_matching_loss, initialise, logit_normal_sigmas, train
from ..vae import Autoencoder, from_images
from ..vision import Siglip2, prepare
from .captions import training_caption
from .edit_captions import training_instruction
from .edits import KINDS, Edit, training_edit
from .render import pixels
from .scenes import Scene
from .stage_transformer import CAPTION_DROPOUT, RENDERS_PER_SCENE, SIGMA_SHIFT

RECIPE = Recipe(steps=1200, lr=1e-3, warmup_steps=50, decay_part=0.4, seed=6, save_every=100)
FEATURES_FROM = 300  # latents alone teach copying, at half the cost of a step with features
EDITS, PICTURES = 24, 24  # of a step: edits with features, as many without, and text-to-image
BANK, BATCH = 12288, 64  # edits drawn beforehand, and how many are encoded at once
EDIT_SHIFT = 2.5  # what to change is decided where there is much noise


class EditBank(NamedTuple):
    """Edits with their pictures' latents and the features of what was there before."""

    edits: list[Edit]
    sources: Float[Tensor, "n z h w"]
    targets: Float[Tensor, "n z h w"]
    features: Float[Tensor, "n u v s"]


class SceneBank(NamedTuple):
    """Scenes with latents of several renders each."""

    scenes: list[Scene]
    latents: Float[Tensor, "n r z h w"]


@torch.inference_mode()
def edit_bank(vae: Autoencoder, tower: Siglip2, file: Path) -> EditBank:
    """The same training edits on every machine, every kind equally often; their tensors are cached in `file`."""
    rng = random.Random(RECIPE.seed)
    edits = [training_edit(rng, KINDS[index % len(KINDS)]) for index in range(BANK)]
    if not file.exists():
        rows = [encode_pairs(vae, tower, edits[first : first + BATCH], first) for first in range(0, len(edits), BATCH)]
        names = ("sources", "targets", "features")
        save_file({name: torch.cat(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}, file)
    return EditBank(edits, **load_file(file))


def encode_pairs(
    vae: Autoencoder, tower: Siglip2, edits: Sequence[Edit], seed: int
) -> tuple[Float[Tensor, "b z h w"], Float[Tensor, "b z h w"], Float[Tensor, "b u v s"]]:
    """Latents of the pictures before and after, and features of those before."""
    before, after = zip(*(edit.render(seed + index) for index, edit in enumerate(edits)), strict=True)
    return vae.encode(from_images(before)), vae.encode(from_images(after)), tower(look_at(tower, before))


def look_at(tower: Siglip2, pictures: Sequence[Image.Image]) -> Float[Tensor, "b 3 H W"]:
    """Pictures of one size as the tower reads them."""
    return torch.stack([prepare(torch.from_numpy(pixels(picture)), tower.config) for picture in pictures])


def with_new_branch(drawer: S3DiT) -> S3DiT:
    """The transformer of stage 5 with an untrained branch for vision features."""
    dit = S3DiT(NANO_OMNI)
    initialise(dit, torch.Generator().manual_seed(RECIPE.seed))
    dit.load_state_dict(drawer.state_dict(), strict=False)
    return dit


def train_editing(
    dit: S3DiT, text: Qwen3, tokenizer: Tokenizer, edits: EditBank, pictures: SceneBank, ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Flow matching toward what an instruction asks of a picture, beside flow matching on captions."""

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        losses = (
            edit_loss(dit, text, tokenizer, edits, rng, generator, has_features=step >= FEATURES_FROM),
            edit_loss(dit, text, tokenizer, edits, rng, generator, has_features=False),
            picture_loss(dit, text, tokenizer, pictures, rng, generator),
        )
        return torch.stack(losses).mean()

    yield from train(dit, loss_of_step, RECIPE, ema, folder)


def edit_loss(
    dit: S3DiT,
    text: Qwen3,
    tokenizer: Tokenizer,
    bank: EditBank,
    rng: random.Random,
    generator: torch.Generator,
    *,
    has_features: bool,
) -> Float[Tensor, ""]:
    """Of one batch of edits, all looking at one picture each."""
    chosen = torch.randint(len(bank.edits), (EDITS,), generator=generator).tolist()
    words = [training_instruction(bank.edits[index], rng).text for index in chosen]
    chunks = encode_chunks(text, tokenizer, [dropped(each, rng) for each in words])
    references = [[Reference(bank.sources[index], bank.features[index] if has_features else None)] for index in chosen]
    targets = bank.targets[chosen]
    return flow_matching_loss(
        lambda noisy, sigma: torch.stack(list(dit(noisy, sigma, chunks, references=references))),
        targets,
        torch.randn(targets.shape, generator=generator),
        logit_normal_sigmas(len(chosen), generator, EDIT_SHIFT),
    )


def picture_loss(
    dit: S3DiT, text: Qwen3, tokenizer: Tokenizer, bank: SceneBank, rng: random.Random, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Of one batch of captions, as in stage 5."""
    chosen = torch.randint(len(bank.scenes), (PICTURES,), generator=generator).tolist()
    drawn = torch.randint(RENDERS_PER_SCENE, (PICTURES,), generator=generator)
    words = [dropped(training_caption(bank.scenes[index], rng), rng) for index in chosen]
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
def encode_chunks(text: Qwen3, tokenizer: Tokenizer, prompts: Sequence[str]) -> list[list[Tensor]]:
    """Features of every chunk of prompts about one picture each."""
    ids = [[chunk.ids for chunk in tokenize_chunks(tokenizer, prompt, 1)] for prompt in prompts]
    features = iter(text.encode([chunk for prompt in ids for chunk in prompt]))
    return [[next(features) for _ in prompt] for prompt in ids]


def dropped(words: str, rng: random.Random) -> str:
    """Now and then nothing is said, so that guidance has something to pull away from."""
    return "" if rng.random() < CAPTION_DROPOUT else words
