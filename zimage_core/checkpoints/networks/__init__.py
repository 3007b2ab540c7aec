"""The registry of networks: one file each, with all the loaders know of it, and one line here."""

from .control_net import CONTROL, CONTROL_PUBLISHED
from .dit import DIT, DIT_DIFFUSERS
from .network_spec import AnyNetwork, NetworkSpec
from .text_encoder import TEXT_ENCODER
from .vae import VAE, VAE_DIFFUSERS
from .vision import VISION

PIPELINE_NETWORKS: tuple[AnyNetwork, ...] = (DIT, TEXT_ENCODER, VAE, VISION)  # all-in-one checkpoints hold several
ADD_ON_NETWORKS: tuple[AnyNetwork, ...] = (CONTROL,)  # files of their own, used beside a diffusion model

__all__ = [
    "ADD_ON_NETWORKS",
    "CONTROL",
    "CONTROL_PUBLISHED",
    "DIT",
    "DIT_DIFFUSERS",
    "PIPELINE_NETWORKS",
    "TEXT_ENCODER",
    "VAE",
    "VAE_DIFFUSERS",
    "VISION",
    "AnyNetwork",
    "NetworkSpec",
]
