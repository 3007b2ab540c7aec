"""Stage 5 of the built-in model: the transformer learns to draw on banked latents what the frozen encoder reads.

How it learns stands in `recipes/nano/text_to_image.toml`.
"""

from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from ..._shapes import Float
from ...config import NANO_DIT
from ...model import S3DiT
from ...text import Qwen3, Tokenizer
from ...vae import Autoencoder
from ..data.captions import training_caption
from ..data.scenes import Scene, training_scenes
from .autoencoder import render_batch
from .bank_file import cached_tensors
from .drawn_examples import DrawnScenes

RENDERS_PER_SCENE = 6


def empty_transformer() -> S3DiT:
    """The network before the recipe gives it random weights."""
    return S3DiT(NANO_DIT)


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


def drawn_scenes(
    bank: tuple[list[Scene], Float[Tensor, "n r z h w"]], text: Qwen3, tokenizer: Tokenizer
) -> DrawnScenes:
    """Every render of the bank, with captions of its scene."""
    scenes, latents = bank
    return DrawnScenes(
        rearrange(latents, "n r z h w -> (n r) z h w"),
        lambda index, rng: training_caption(scenes[index // RENDERS_PER_SCENE], rng),
        text,
        tokenizer,
    )
