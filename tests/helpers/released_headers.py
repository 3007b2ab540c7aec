"""Tensor shapes of the released files, and the loaders of the networks."""

from zimage_core.checkpoints import (
    DIT,
    TEXT_ENCODER,
    VAE,
    load_dit,
    load_text_encoder,
    load_vae,
)
from zimage_core.config import BASE_DIT, FLUX_VAE, QWEN3_4B
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

LOADERS = {DIT: load_dit, TEXT_ENCODER: load_text_encoder, VAE: load_vae}


def shapes_of(state, prefix=""):
    return {prefix + key: tuple(tensor.shape) for key, tensor in state.items()}


def dit_state():
    return S3DiT(BASE_DIT, device="meta").state_dict()


DIFFUSION = shapes_of(dit_state())


ENCODER = {  # including the last layer and the final norm, which our network omits
    **shapes_of(Qwen3(QWEN3_4B, device="meta").state_dict()),
    **{
        key.replace("layers.34", "layers.35"): shape
        for key, shape in shapes_of(Qwen3(QWEN3_4B, device="meta").state_dict()).items()
        if "layers.34" in key
    },
    "model.norm.weight": (2560,),
}


AUTOENCODER = shapes_of(Autoencoder(FLUX_VAE, device="meta").state_dict())
