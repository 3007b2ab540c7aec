"""Stage 8 of the built-in model: the linear decoder that shows nano's latents while they form."""

import random

import torch
import torch.nn.functional as F
from torch import Tensor

from ...vae import Autoencoder
from ...vae.linear_decoder import fit_linear_decoder
from ..data.scenes import training_scenes
from .autoencoder import render_batch

PICTURES = 1024
BATCH = 64


@torch.no_grad()
def fit_preview(vae: Autoencoder) -> dict[str, Tensor]:
    """Weights of `decode_linear`, fitted to what the autoencoder decodes from the latents of training scenes."""
    choice = random.Random(0)
    scenes = choice.choices(training_scenes(), k=PICTURES)
    pictures = render_batch(scenes, [choice.randrange(2**31) for _ in scenes])
    latents = torch.cat([vae.encode(batch) for batch in pictures.split(BATCH)])
    decoded = torch.cat([vae.decode(batch) for batch in latents.split(BATCH)])
    return fit_linear_decoder(latents, F.avg_pool2d(decoded, 2))
