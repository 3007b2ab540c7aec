"""Stage 2 of the built-in model: a FLUX-layout autoencoder for 64x64 pictures."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..._shapes import Float
from ...config import NANO_VAE
from ...training import Ema, Progress, Recipe, init_weights, train
from ...vae import Autoencoder, from_images
from ..data.render import ground, render
from ..data.scenes import Scene, training_scenes

RECIPE = Recipe(steps=4000, lr=1.5e-3, decay_part=0.6, seed=1)
BATCH = 32
EDGE_WEIGHT = 0.5
OBJECT_WEIGHT = 5.0  # small objects are a twentieth of a picture and all of its meaning
KL_WEIGHT = 3e-5  # per latent value against per pixel value; just enough to keep latents bounded and smooth


def untrained_autoencoder() -> Autoencoder:
    """The untrained network."""
    vae = Autoencoder(NANO_VAE)
    init_weights(vae, torch.Generator().manual_seed(RECIPE.seed))
    return vae


def render_batch(scenes: Sequence[Scene], seeds: Sequence[int]) -> Float[Tensor, "b 3 h w"]:
    """Jittered pictures of scenes in [-1, 1]."""
    return from_images([render(scene, seed) for scene, seed in zip(scenes, seeds, strict=True)])


def train_autoencoder(vae: Autoencoder, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Errors of pixels and of their differences, the object's counted more, and a small pull toward the unit normal."""
    scenes = training_scenes()
    vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        indices = torch.randint(len(scenes), (BATCH,), generator=generator).tolist()
        seeds = torch.randint(2**31, (BATCH,), generator=generator).tolist()
        chosen = [scenes[index] for index in indices]
        pictures = render_batch(chosen, seeds).to(memory_format=torch.channels_last)
        mean, logvar = vae.posterior(pictures)
        sample = mean + torch.exp(logvar / 2) * torch.randn(mean.shape, generator=generator)
        error = vae.decoder(sample) - pictures
        kl = (mean.square() + logvar.exp() - logvar - 1).mean() / 2
        yield (
            (object_weights(pictures, chosen) * pixel_loss(error)).mean()
            + EDGE_WEIGHT * edge_loss(error)
            + KL_WEIGHT * kl
        )

    yield from train(vae, loss_of_step, RECIPE, ema, folder)


def object_weights(pictures: Float[Tensor, "b 3 h w"], scenes: list[Scene]) -> Float[Tensor, "b 1 h w"]:
    """One where a picture shows its ground, more where it shows its object."""
    behind = from_images([ground(scene.ground) for scene in scenes])
    is_object = (pictures - behind).abs().amax(1, keepdim=True) > 0.1
    return 1 + OBJECT_WEIGHT * max_pool2d(is_object.float(), 3, stride=1, padding=1)


def pixel_loss(error: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Absolute and squared error; the square keeps wrong colours from being left alone."""
    return (error.abs() + error.square()).mean(1, keepdim=True)


def edge_loss(error: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Mean absolute error of horizontal and vertical differences."""
    return error.diff(dim=-2).abs().mean() + error.diff(dim=-1).abs().mean()


@torch.no_grad()
def scale_latents(vae: Autoencoder, pictures: Float[Tensor, "b 3 h w"]) -> None:
    """Fold one factor into encoder and decoder, exactly, so that model-space latents have unit variance."""
    factor = 1 / (vae.config.scaling_factor * vae.posterior(pictures).mean.std().item())
    weights, channels = vae.state_dict(), vae.config.latent_channels
    weights["encoder.conv_out.weight"][:channels] *= factor
    weights["encoder.conv_out.bias"][:channels] *= factor
    weights["encoder.conv_out.bias"][channels:] += 2 * math.log(factor)
    weights["decoder.conv_in.weight"] /= factor
