"""The whole story: a prompt becomes a picture. Read this file first; every name in it leads to one of the others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .adapters import inject
from .checkpoints import load_dit, load_text_encoder, load_vae, load_vision, read_lora
from .model import Reference
from .quant import Scheme, quantize_layers
from .request import Request, default_preset, default_size, has_vision, model_folder, tokenize_prompts
from .run_plan import plan_run
from .runtime.offload.placement import AllOnDevice, AsPlanned, Placement
from .runtime.offload.plan import Plan
from .sampling import SOLVERS, UNCACHED, Guidance, Preset, Step, StepCache, denoise, shifted_schedule
from .vae import Autoencoder, crop_to_patches, from_images, shrink_to_area, to_images
from .vision import Siglip2, prepare

LARGEST_REFERENCE = 1024 * 1024  # pixels; diffusers 0.42.1, pipeline_z_image_omni.py

LoraFile = tuple[str | Path, float]  # and its strength
OnStep = Callable[[Step], None]


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
    loras: Sequence[LoraFile] = (),
    memory_limit: int | None = None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_step: OnStep = lambda step: None,
) -> list[Image.Image]:
    """Pictures of a prompt, by the built-in nano or by a folder laid out as diffusers lays out its own.

    `references` are pictures to look at, for Omni and Edit models, and for a LoRA that was trained on pairs; the last
    one gives the size, unless `size` (width, height in pixels, multiples of 16) does. Without a preset, a folder whose
    name says turbo is sampled as Turbo, any other as base, and as Omni where there are references and a vision branch
    that reads them. `loras` are files with their strengths.

    Two options are not exact and off by default: `scheme` quantizes the layers to 8 bits, `cache` skips network calls.

    `memory_limit` is in bytes of `device`, RAM if that is "cpu". Within it networks take turns, transformer blocks are
    streamed and large pictures are decoded in strips; then `scheme` is used only where exact weights do not fit.
    `on_plan` is given the plan before anything is loaded. Raises `PlanError` if the limit cannot be met.
    """
    pictures = [shrink_to_area(picture, LARGEST_REFERENCE) for picture in references]
    folder = model_folder(model)
    request = Request(
        folder=folder,
        prompts=tokenize_prompts(folder, (prompt, negative_prompt), len(pictures)),
        references=pictures,
        size=size or default_size(model, pictures),
        preset=preset or default_preset(model, pictures),
        steps=steps,
        seed=seed,
        device=torch.device(device),
        dtype=dtype,
        scheme=scheme,
        cache=cache,
        loras=[(read_lora(file), strength) for file, strength in loras],
    )
    placement: Placement = AllOnDevice(request.device)
    if memory_limit is not None:
        plan = plan_run(request, memory_limit)
        on_plan(plan)
        request = replace(request, scheme=None if plan.is_exact else scheme)
        placement = AsPlanned(plan, request.device)
    with placement:
        embeddings = encode_prompts(request, placement)
        encoded_references = encode_references(request, placement)
        latent = sample(request, embeddings, encoded_references, placement, on_step)
        vae = load_vae(folder / "vae", dtype)
        return to_images(placement.decode(vae, latent.to(dtype)))


def encode_prompts(request: Request, placement: Placement) -> list[list[Tensor]]:
    """Embeddings of the positive and the negative prompt, (n, d) for each of their chunks."""
    encoder = load_text_encoder(request.folder / "text_encoder", request.dtype)
    with placement.text_encoder(encoder):
        encoded = [encoder.encode([chunk.ids for chunk in chunks]) for chunks in request.prompts]
    return [[chunk.to(request.device) for chunk in chunks] for chunks in encoded]


def encode_references(request: Request, placement: Placement) -> list[Reference]:
    """Latents of the reference pictures, and vision features where the transformer reads them."""
    if not request.references:
        return []
    device, folder, vision = placement.reference_device, request.folder, None
    vae = load_vae(folder / "vae", request.dtype).to(device)
    if has_vision(folder):
        vision = load_vision(folder / "siglip", request.dtype).to(device)
    like = torch.empty(0, device=request.device, dtype=request.dtype)
    return [encode_reference(picture, vae, vision).to(like) for picture in request.references]


def encode_reference(picture: Image.Image, vae: Autoencoder, vision: Siglip2 | None) -> Reference:
    """A reference picture's latent, cropped to whole patches, and what a vision encoder sees of it, uncropped."""
    like = next(vae.parameters())
    latent = vae.encode(from_images([crop_to_patches(picture)]).to(like))[0]
    if vision is None:
        return Reference(latent)
    pixels = from_images([picture])[0].permute(1, 2, 0) / 2 + 0.5  # (h, w, 3) in [0, 1]
    return Reference(latent, vision(prepare(pixels, vision.config)[None].to(like))[0])


def sample(
    request: Request,
    embeddings: Sequence[Sequence[Tensor]],
    references: Sequence[Reference],
    placement: Placement,
    on_step: OnStep,
) -> Tensor:
    """The latent (1, 16, h, w) of the picture, in float32."""
    dit = load_dit(request.folder / "transformer", request.dtype)
    if request.scheme:
        quantize_layers(dit, request.scheme)
    inject(dit, request.loras, request.device)
    preset, (width, height) = request.preset, request.size
    cells = height // 8, width // 8
    sigmas = shifted_schedule(request.steps or preset.steps, preset.shift)
    with placement.transformer(dit) as blocks:
        with blocks.preparing():
            conditions = [
                dit.prepare_with_references([chunks], [references], cells, run=blocks.run)
                if references
                else dit.prepare(chunks, cells, run=blocks.run)
                for chunks in embeddings
            ]
            positive, negative = (dit.flow(condition, sigmas.tolist(), run=blocks.run) for condition in conditions)
        latent = torch.randn(1, 16, *cells, generator=torch.Generator().manual_seed(request.seed)).to(request.device)
        solver, guidance = SOLVERS[preset.solver](), Guidance(cfg=preset.cfg)
        for step in denoise(
            positive, latent, sigmas, solver=solver, negative=negative, guidance=guidance, cache=request.cache
        ):
            latent = step.x
            on_step(step)
    return latent
