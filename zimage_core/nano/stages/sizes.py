"""Stages 13 and 15 of the built-in model: the transformer learns many sizes, then two objects in relation.

How stands in `recipes/nano/sizes.toml` and `recipes/nano/pairs.toml`: it goes on from stage 7's weights, with pictures
of 64 pixels, edits and combinations in every step, so that they are not forgotten.
"""

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...text import Qwen3, Tokenizer
from ...vae import Autoencoder, from_images
from ..data.captions import training_caption
from ..data.render import Size, render, render_composition
from ..data.scenes import training_scenes
from ..data.sizes import TRAINED_SIZES, size_name
from ..data.two_objects import training_pair_caption, training_pairs
from .bank_file import cached_tensors
from .drawn_examples import DrawnScenes

SEED = 8
PER_SIZE = 320  # pictures of one object, and of two
BATCH = 16  # are encoded at once

Draw = Callable[[int, Size], Image.Image]  # the picture at an index
Latents = list[Float[Tensor, "z h w"]]


def drawn_sizes(vae: Autoencoder, file: Path, text: Qwen3, tokenizer: Tokenizer) -> DrawnScenes:
    """The same scenes on every machine, as many at every size, with captions; their latents are cached in `file`."""
    rng = random.Random(SEED)
    scenes = [scene for _ in TRAINED_SIZES for scene in rng.sample(training_scenes(), PER_SIZE)]
    latents = latents_of_sizes(vae, file, lambda index, size: render(scenes[index], index, size))
    return DrawnScenes(latents, lambda index, words: training_caption(scenes[index], words), text, tokenizer)


def drawn_pairs(vae: Autoencoder, file: Path, text: Qwen3, tokenizer: Tokenizer) -> DrawnScenes:
    """The same pairs of objects on every machine, as many at every size, with captions; as `drawn_sizes`."""
    pairs = list(islice(training_pairs(random.Random(SEED)), PER_SIZE * len(TRAINED_SIZES)))

    def draw(index: int, size: Size) -> Image.Image:
        return render_composition(pairs[index].composition, (index, index + 2**32), size)

    latents = latents_of_sizes(vae, file, draw)
    return DrawnScenes(latents, lambda index, words: training_pair_caption(pairs[index], words)[0], text, tokenizer)


@torch.inference_mode()
def latents_of_sizes(vae: Autoencoder, file: Path, draw: Draw) -> Latents:
    """Latents of `PER_SIZE` pictures of every size in turn, cached in `file`."""

    def encode() -> dict[str, Tensor]:
        return {
            size_name(size): torch.cat(
                [
                    vae.encode(from_images([draw(first + index, size) for index in range(BATCH)]))
                    for first in range(number * PER_SIZE, (number + 1) * PER_SIZE, BATCH)
                ]
            )
            for number, size in enumerate(TRAINED_SIZES)
        }

    tensors = cached_tensors(file, encode)
    return [latent for size in TRAINED_SIZES for latent in tensors[size_name(size)]]
