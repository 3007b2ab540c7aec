"""ComfyUI's VAE, CLIP and CLIP_VISION as the frozen encoders of training."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from .....zimage_core._shapes import Float
from .....zimage_core.training.encoded import Encoders, fingerprint
from .....zimage_core.training.encoded_example import EncodedPicture
from ...loading import vision
from ...network.attach import DIFFUSION_MODEL
from ...network.dit import check_supports_references, has_vision_branch
from .. import prompts

VISION_PATCH = 16  # pixels of SigLIP 2
NO_SPREAD = -60.0  # log-variance of a latent that a VAE socket gives: it is the mean alone


def canvas_encoders(model: Any, clip: Any, vae: Any, folder: Path, clip_vision: Any = None) -> Encoders:
    """Pictures by the VAE, in the MODEL's scale, captions by the CLIP, and what edits look at by the CLIP_VISION.

    A network that cannot use vision features, as released base models cannot, learns edits from latents alone.
    """
    network = model.get_model_object(DIFFUSION_MODEL)
    clip_vision = clip_vision if has_vision_branch(network) else None
    return Encoders(
        encode_picture=partial(encode_picture, model.get_model_object("latent_format"), vae),
        encode_text=partial(encode_text, clip),
        picture_encoder=fingerprint(vae.first_stage_model),
        text_encoder=fingerprint(clip.cond_stage_model),
        folder=folder,
        encode_vision=partial(encode_vision, network, clip_vision) if clip_vision else None,
        vision_encoder=fingerprint(clip_vision.model) if clip_vision else b"",
    )


def encode_picture(latent_format: Any, vae: Any, pixels: Float[Tensor, "1 3 h w"]) -> EncodedPicture:
    """The latent of pixels in [-1, 1], in model space."""
    with torch.inference_mode():
        latent = vae.encode(rearrange(pixels, "b c h w -> b h w c") / 2 + 0.5)
        mean = latent_format.process_in(latent)[0].float()
    return EncodedPicture(mean, torch.full_like(mean, NO_SPREAD))


def encode_text(clip: Any, words: str) -> Float[Tensor, "n f"]:
    """The features of a text that has its template, cut at 512 tokens."""
    with torch.inference_mode():
        [[features, _], *_], _ = prompts.encode(clip, words, is_cut=True, template="{}")
    return features[0]


def encode_vision(network: Any, clip_vision: Any, pixels: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "gh gw s"]:
    """What the vision model sees in pixels in [-1, 1]; ValueError where the network reads features of another width."""
    with torch.inference_mode():
        seen = vision.encode_picture(clip_vision, rearrange(pixels, "b c h w -> b h w c") / 2 + 0.5)
    _, height, width = seen.image_sizes[0]
    features = seen.last_hidden_state[0].float()
    check_supports_references(network, [features.shape[-1]])
    return rearrange(features, "(gh gw) s -> gh gw s", gh=height // VISION_PATCH, gw=width // VISION_PATCH)
