"""The whole story: a prompt becomes a picture. Read this file first; every name in it leads to one of the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

from .checkpoints import load_dit, load_text_encoder, load_vae, load_vision
from .model import Reference
from .nano.files import FOLDER as NANO_FOLDER
from .quant import Scheme, quantize_layers
from .sampling import (
    BASE,
    NANO,
    OMNI,
    SOLVERS,
    TURBO,
    UNCACHED,
    Guidance,
    Preset,
    Step,
    StepCache,
    denoise,
    shifted_schedule,
)
from .text import load_tokenizer, tokenize_chunks
from .vae import Autoencoder, crop_to_patches, from_images, shrink_to_area, to_images
from .vision import Siglip2, prepare

LARGEST_REFERENCE = 1024 * 1024  # pixels; diffusers 0.42.1, pipeline_z_image_omni.py


@torch.inference_mode()
def generate(
    prompt: str,
    *,
    model: str | Path = "nano",
    references: Sequence[Image.Image] = (),
    negative_prompt: str = "",
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    seed: int = 0,
    preset: Preset | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    scheme: Scheme | None = None,
    cache: StepCache = UNCACHED,
    on_step: Callable[[Step], None] = lambda step: None,
) -> list[Image.Image]:
    """Pictures of a prompt, by the built-in nano or by a folder laid out as diffusers lays out its own.

    `references` are pictures to look at, for Omni and Edit models; the last one gives the size, unless `size` (width,
    height in pixels, multiples of 16) does. Without a preset, a folder whose name says turbo is drawn as Turbo, any
    other as base, and as Omni where there are references. Two levers that are not exact are off unless given: `scheme`
    multiplies in 8 bits, `cache` lets the network rest.
    """
    is_nano = model == "nano"
    folder = NANO_FOLDER if is_nano else Path(model)
    default = OMNI if references else TURBO if "turbo" in str(model).lower() else BASE
    preset = preset or (NANO if is_nano else default)
    pictures = [shrink_to_area(picture, LARGEST_REFERENCE) for picture in references]
    width, height = size or (crop_to_patches(pictures[-1]).size if pictures else (64, 64) if is_nano else (1024, 1024))

    tokenizer = load_tokenizer(folder / "tokenizer")
    text_encoder = load_text_encoder(folder / "text_encoder", dtype).to(device)
    prompts = [tokenize_chunks(tokenizer, text, len(pictures)) for text in (prompt, negative_prompt)]
    captions = [text_encoder.encode([chunk.ids for chunk in chunks]) for chunks in prompts]

    vae = load_vae(folder / "vae", dtype).to(device)
    seen: list[Reference] = []
    if pictures:
        tower = load_vision(folder / "siglip", dtype).to(device)
        seen = [look(picture, vae, tower) for picture in pictures]

    dit = load_dit(folder / "transformer", dtype)
    if scheme:
        quantize_layers(dit, scheme)
    dit = dit.to(device)
    sigmas = shifted_schedule(steps or preset.steps, preset.shift)
    cells = height // 8, width // 8
    conditions = (
        dit.prepare_with_references([chunks], [seen], cells) if seen else dit.prepare(chunks, cells)
        for chunks in captions
    )
    positive, negative = (dit.flow(condition, sigmas.tolist()) for condition in conditions)
    latent = torch.randn(1, 16, *cells, generator=torch.Generator().manual_seed(seed)).to(device)
    solver, guidance = SOLVERS[preset.solver](), Guidance(cfg=preset.cfg)
    for step in denoise(positive, latent, sigmas, solver=solver, negative=negative, guidance=guidance, cache=cache):
        latent = step.x
        on_step(step)
    return to_images(vae.decode(latent.to(dtype)))


def look(picture: Image.Image, vae: Autoencoder, tower: Siglip2) -> Reference:
    """A reference picture's latent, cropped to whole patches, and its vision features, uncropped."""
    like = next(vae.parameters())
    latent = vae.encode(from_images([crop_to_patches(picture)]).to(like))[0]
    pixels = from_images([picture])[0].permute(1, 2, 0) / 2 + 0.5  # (h, w, 3) in [0, 1]
    return Reference(latent, tower(prepare(pixels, tower.config)[None].to(like))[0])
