"""ComfyUI's VAE and CLIP as the frozen encoders of training."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from .....zimage_core._shapes import Float
from .....zimage_core.training.encoded import EncodedPicture, Encoders, fingerprint
from .. import prompts

NO_SPREAD = -60.0  # log-variance of a latent that a VAE socket gives: it is the mean alone


def canvas_encoders(model: Any, clip: Any, vae: Any, folder: Path) -> Encoders:
    """Pictures by the VAE, in the MODEL's scale, and captions by the CLIP."""
    return Encoders(
        encode_picture=partial(encode_picture, model.get_model_object("latent_format"), vae),
        encode_caption=partial(encode_caption, clip),
        picture_encoder=fingerprint(vae.first_stage_model),
        caption_encoder=fingerprint(clip.cond_stage_model),
        folder=folder,
    )


def encode_picture(latent_format: Any, vae: Any, pixels: Float[Tensor, "1 3 h w"]) -> EncodedPicture:
    """The latent of pixels in [-1, 1], in model space."""
    with torch.inference_mode():
        latent = vae.encode(rearrange(pixels, "b c h w -> b h w c") / 2 + 0.5)
        mean = latent_format.process_in(latent)[0].float()
    return EncodedPicture(mean, torch.full_like(mean, NO_SPREAD))


def encode_caption(clip: Any, words: str) -> Float[Tensor, "n f"]:
    """The features of a text in the prompt template, cut at 512 tokens."""
    with torch.inference_mode():
        [[features, _], *_], _ = prompts.encode(clip, words, is_cut=True)
    return features[0]
