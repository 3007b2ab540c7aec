"""The whole story: a prompt becomes a picture.

Read this file first; every name in it leads to one of the others.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from .checkpoints import load_dit, load_text_encoder, load_vae
from .nano.weights import FOLDER as NANO_FOLDER
from .sampling import BASE, NANO, SOLVERS, TURBO, Guidance, Preset, Step, denoise, shifted_schedule
from .text import load_tokenizer, tokenize
from .vae import to_images

MODELS = {"nano": (NANO_FOLDER, NANO, 64)}  # folder, preset and side of the built-in models


@torch.inference_mode()
def generate(
    prompt: str,
    *,
    model: str | Path = "nano",
    negative_prompt: str = "",
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    seed: int = 0,
    preset: Preset | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    on_step: Callable[[Step], None] = lambda step: None,
) -> list[Image.Image]:
    """Pictures of a prompt, by the built-in model or by a folder laid out as diffusers lays out its own.

    `size` is (width, height) in pixels, multiples of 16. Without a preset, a folder whose name says turbo is drawn as
    Turbo, any other as base.
    """
    folder, known, side = MODELS.get(str(model)) or (
        Path(model),
        TURBO if "turbo" in str(model).lower() else BASE,
        1024,
    )
    preset, (width, height) = preset or known, size or (side, side)
    tokenizer = load_tokenizer(folder / "tokenizer")
    text_encoder = load_text_encoder(folder / "text_encoder", dtype).to(device)
    prompts = [tokenize(tokenizer, text).ids for text in (prompt, negative_prompt)]
    captions = [features.to(dtype) for features in text_encoder.encode(prompts)]

    dit = load_dit(folder / "transformer", dtype).to(device)
    sigmas = shifted_schedule(steps or preset.steps, preset.shift)
    noise = torch.randn(
        1, dit.config.in_channels, height // 8, width // 8, generator=torch.Generator().manual_seed(seed)
    )
    positive, negative = (
        dit.flow(dit.prepare([caption], (height // 8, width // 8)), sigmas.tolist()) for caption in captions
    )
    latent = noise.to(device)
    for step in denoise(
        positive,
        latent,
        sigmas,
        solver=SOLVERS[preset.solver](),
        negative=negative,
        guidance=Guidance(cfg=preset.cfg),
    ):
        latent = step.x
        on_step(step)
    vae = load_vae(folder / "vae", dtype).to(device)
    return to_images(vae.decode(latent.to(dtype)))
