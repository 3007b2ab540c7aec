"""Many pictures of one model: its networks are loaded once, with the first picture, and stay on the device."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image

from ..adapters import inject
from ..checkpoints import load_dit, load_text_encoder, load_vae, read_lora
from ..model import S3DiT
from ..request import default_preset, default_size, model_folder, tokenize_prompts
from ..sampling import SOLVERS, Guidance, denoise, shifted_schedule
from ..text import Qwen3
from ..vae import Autoencoder, to_images


class Drawer:
    """Draws what `generate` draws, bit for bit, without loading the networks again."""

    def __init__(
        self,
        model: str | Path,
        *,
        device: torch.device,
        dtype: torch.dtype,
        steps: int | None = None,
        size: tuple[int, int] | None = None,
        loras: Sequence[tuple[Path, float]] = (),
    ) -> None:
        self.folder, self.device, self.dtype = model_folder(model), device, dtype
        self.preset, self.size = default_preset(model, ()), size or default_size(model, ())
        self.steps = steps or self.preset.steps
        self.loras = [(read_lora(file), strength) for file, strength in loras]

    @cached_property
    def encoder(self) -> Qwen3:
        """The prompts' encoder."""
        return load_text_encoder(self.folder / "text_encoder", self.dtype).to(self.device)

    @cached_property
    def dit(self) -> S3DiT:
        """The transformer with its LoRAs."""
        dit = load_dit(self.folder / "transformer", self.dtype)
        inject(dit, self.loras, self.device)
        return dit.to(self.device)

    @cached_property
    def vae(self) -> Autoencoder:
        """The autoencoder."""
        return load_vae(self.folder / "vae", self.dtype).to(self.device)

    @torch.inference_mode()
    def __call__(self, prompt: str, seed: int) -> Image.Image:
        """The picture of a prompt."""
        sigmas = shifted_schedule(self.steps, self.preset.shift)
        width, height = self.size
        cells = height // 8, width // 8
        embeddings = [
            self.encoder.encode([chunk.ids for chunk in chunks])
            for chunks in tokenize_prompts(self.folder, (prompt, ""), 0)
        ]
        positive, negative = (self.dit.flow(self.dit.prepare(each, cells), sigmas.tolist()) for each in embeddings)
        noise = torch.randn(1, 16, *cells, generator=torch.Generator().manual_seed(seed)).to(self.device)
        *_, last = denoise(
            positive,
            noise,
            sigmas,
            solver=SOLVERS[self.preset.solver](),
            negative=negative,
            guidance=Guidance(cfg=self.preset.cfg),
        )
        [picture] = to_images(self.vae.decode(last.x.to(self.dtype)))
        return picture
