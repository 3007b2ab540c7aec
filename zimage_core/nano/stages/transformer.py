"""Stage 5 of the built-in model: the transformer learns to draw on banked latents what the frozen encoder reads."""

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..._shapes import Float
from ...config import NANO_DIT
from ...model import S3DiT
from ...text import Qwen3, Tokenizer, tokenize
from ...training import (
    Ema,
    Progress,
    Recipe,
    batch_size_within,
    flow_matching_loss,
    init_weights,
    logit_normal_sigmas,
    token_count,
    train,
)
from ...vae import Autoencoder
from ..data.captions import training_caption
from ..data.scenes import Scene, training_scenes
from .autoencoder import render_batch
from .bank_file import cached_tensors

RECIPE = Recipe(steps=1200, lr=1.5e-3, warmup_steps=100, seed=4)
TOKEN_BUDGET = 16384  # 256 pictures of 64 tokens
SIGMA_SHIFT = 1.6  # the report's dynamic shift at this token count: exp(0.5 + (64 - 256)·0.65/3840)
CAPTION_DROPOUT = 0.1
RENDERS_PER_SCENE = 6


def untrained_transformer() -> S3DiT:
    """The untrained network."""
    dit = S3DiT(NANO_DIT)
    init_weights(dit, torch.Generator().manual_seed(RECIPE.seed))
    return dit


@torch.inference_mode()
def latent_bank(vae: Autoencoder, file: Path) -> tuple[list[Scene], Float[Tensor, "n r z h w"]]:
    """Latents of every training scene in several jittered renders, cached in `file`."""
    scenes = training_scenes()

    def encode() -> dict[str, Tensor]:
        seeds = range(RENDERS_PER_SCENE)
        rows = [
            vae.encode(render_batch([scene] * RENDERS_PER_SCENE, [index * RENDERS_PER_SCENE + seed for seed in seeds]))
            for index, scene in enumerate(scenes)
        ]
        return {"latents": torch.stack(rows)}

    return scenes, cached_tensors(file, encode)["latents"].clone()


def train_transformer(
    dit: S3DiT, text: Qwen3, tokenizer: Tokenizer, bank: tuple[list[Scene], Tensor], ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Flow matching on banked latents."""
    scenes, latents = bank
    n_drawn = TOKEN_BUDGET // token_count((8, 8), 1)

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        chosen = torch.randint(len(scenes), (n_drawn,), generator=generator)
        drawn = torch.randint(RENDERS_PER_SCENE, (n_drawn,), generator=generator)
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        captions = [
            "" if rng.random() < CAPTION_DROPOUT else training_caption(scenes[index], rng) for index in chosen.tolist()
        ]
        prompts = [tokenize(tokenizer, caption).ids for caption in captions]
        n = batch_size_within((token_count((8, 8), len(prompt)) for prompt in prompts), TOKEN_BUDGET)
        pictures = latents[chosen[:n], drawn[:n]]
        with torch.no_grad():
            features = text.encode(prompts[:n])
        yield flow_matching_loss(
            lambda noisy, sigma: dit(noisy, sigma, features),
            pictures,
            torch.randn(pictures.shape, generator=generator),
            logit_normal_sigmas(n, generator, SIGMA_SHIFT),
        )

    yield from train(dit, loss_of_step, RECIPE, ema, folder)
