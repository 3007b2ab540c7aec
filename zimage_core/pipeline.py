"""The whole story: a prompt becomes a picture. Read this file first; every name in it leads to one of the others."""

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from .checkpoints import load_dit, load_text_encoder, load_vae
from .nano.weights import FOLDER as NANO_FOLDER
from .sampling import BASE, NANO, SOLVERS, TURBO, Guidance, Preset, Step, denoise, shifted_schedule
from .text import load_tokenizer, tokenize
from .vae import to_images


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
    """Pictures of a prompt, by the built-in nano or by a folder laid out as diffusers lays out its own.

    `size` is (width, height) in pixels, multiples of 16. Without a preset, a folder whose name says turbo is drawn as
    Turbo, any other as base.
    """
    is_nano = model == "nano"
    folder = NANO_FOLDER if is_nano else Path(model)
    preset = preset or (NANO if is_nano else TURBO if "turbo" in str(model).lower() else BASE)
    width, height = size or ((64, 64) if is_nano else (1024, 1024))

    tokenizer = load_tokenizer(folder / "tokenizer")
    text_encoder = load_text_encoder(folder / "text_encoder", dtype).to(device)
    captions = text_encoder.encode([tokenize(tokenizer, text).ids for text in (prompt, negative_prompt)])

    dit = load_dit(folder / "transformer", dtype).to(device)
    sigmas = shifted_schedule(steps or preset.steps, preset.shift)
    cells = height // 8, width // 8
    positive, negative = (dit.flow(dit.prepare([caption], cells), sigmas.tolist()) for caption in captions)
    latent = torch.randn(1, 16, *cells, generator=torch.Generator().manual_seed(seed)).to(device)
    solver, guidance = SOLVERS[preset.solver](), Guidance(cfg=preset.cfg)
    for step in denoise(positive, latent, sigmas, solver=solver, negative=negative, guidance=guidance):
        latent = step.x
        on_step(step)

    vae = load_vae(folder / "vae", dtype).to(device)
    return to_images(vae.decode(latent.to(dtype)))
