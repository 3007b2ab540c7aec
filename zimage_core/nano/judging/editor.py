"""The built-in model as a batched editor, for judging: pictures and instructions to pictures.

`pipeline.py` shows how one picture is made; this does the same for many of one size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from ...checkpoints import load_dit, load_text_encoder, load_vae, load_vision
from ...model import Reference, S3DiT, VelocityField
from ...model.sequence import padded_length
from ...sampling import NANO, SOLVERS, Guidance, Preset, denoise, shifted_schedule
from ...text import Qwen3, Tokenizer, load_tokenizer, tokenize_chunks
from ...vae import Autoencoder, from_images, to_images
from ...vision import Siglip2
from ..picture_tokens import vision_inputs


@dataclass(frozen=True, kw_only=True)
class EditingModel:
    """The networks that are judged; without the tower, references are latents only."""

    dit: S3DiT
    text_encoder: Qwen3
    vae: Autoencoder
    tower: Siglip2 | None
    tokenizer: Tokenizer
    preset: Preset = NANO

    def reconstruct(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Pictures through the autoencoder and back."""
        return to_images(self.vae.decode(self.vae.encode(from_images(pictures))))

    def edit(self, sources: Sequence[Image.Image], instructions: Sequence[str], seed: int) -> list[Image.Image]:
        """Each picture edited by its instruction."""
        return self.draw([[source] for source in sources], instructions, seed)

    def draw(
        self, pictures: Sequence[Sequence[Image.Image]], instructions: Sequence[str], seed: int
    ) -> list[Image.Image]:
        """Results of instructions that all have the same number of reference pictures."""
        references = self.encode_references(pictures)
        width, height = (side // self.vae.config.downscale for side in pictures[0][0].size)
        captions, empty = (
            self.encode_instructions(words, len(pictures[0])) for words in (instructions, [""] * len(instructions))
        )
        noise = torch.randn(len(references), 16, height, width, generator=torch.Generator().manual_seed(seed))
        latents = torch.empty_like(noise)
        for chosen in of_one_length(captions):
            given = [references[index] for index in chosen]
            positive, negative = (
                self.dit.flow(
                    self.dit.prepare_with_references([words[index] for index in chosen], given, (height, width))
                )
                for words in (captions, empty)
            )
            latents[chosen] = self._sampled(positive, negative, noise[chosen])
        return to_images(self.vae.decode(latents))

    def _sampled(self, positive: VelocityField, negative: VelocityField, noise: torch.Tensor) -> torch.Tensor:
        *_, last = denoise(
            lambda x, sigma: positive(x, torch.full((len(x),), sigma)),
            noise,
            shifted_schedule(self.preset.steps, self.preset.shift),
            solver=SOLVERS[self.preset.solver](),
            negative=lambda x, sigma: negative(x, torch.full((len(x),), sigma)),
            guidance=Guidance(cfg=self.preset.cfg),
        )
        return last.x

    def encode_references(self, pictures: Sequence[Sequence[Image.Image]]) -> list[list[Reference]]:
        """Latents and, with a tower, features of every picture."""
        each = [picture for row in pictures for picture in row]
        features = self.tower(vision_inputs(each)) if self.tower else [None] * len(each)
        recognized = (Reference(*parts) for parts in zip(self.vae.encode(from_images(each)), features, strict=True))
        return [[next(recognized) for _ in row] for row in pictures]

    def encode_instructions(self, instructions: Sequence[str], n_references: int) -> list[list[torch.Tensor]]:
        """Features of every chunk of every instruction."""
        ids = [[chunk.ids for chunk in tokenize_chunks(self.tokenizer, words, n_references)] for words in instructions]
        features = iter(self.text_encoder.encode([chunk for chunks in ids for chunk in chunks]))
        return [[next(features) for _ in chunks] for chunks in ids]


def of_one_length(captions: Sequence[Sequence[torch.Tensor]]) -> list[list[int]]:
    """Which captions are padded to the same lengths, and so can run as one batch."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, chunks in enumerate(captions):
        groups.setdefault(tuple(padded_length(len(chunk)) for chunk in chunks), []).append(index)
    return list(groups.values())


def load_editor(folder: Path, *, has_tower: bool = True) -> EditingModel:
    """The model in a folder, in float32."""
    return EditingModel(
        dit=load_dit(folder / "transformer", torch.float32),
        text_encoder=load_text_encoder(folder / "text_encoder", torch.float32),
        vae=load_vae(folder / "vae", torch.float32),
        tower=load_vision(folder / "siglip", torch.float32) if has_tower else None,
        tokenizer=load_tokenizer(folder / "tokenizer"),
    )
