"""Pictures that a model draws while it is trained: always of the same prompts and seed, with its variant's sampler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from .._shapes import Float
from ..atomic_file import write_atomically
from ..data import Example
from ..model import S3DiT
from ..model.condition import Condition, RunBlock, run_block
from ..sampling import SOLVERS, Guidance, Preset, denoise, shifted_schedule
from .encoded import Encoders
from .encoded_example import Seen

CELL = 8  # pixels
FOLDER = "previews"  # beside the saved state
N_PREVIEWS = 5  # in a run


def interval(steps: int) -> int:
    """Steps from one picture to the next, where a recipe of so many says nothing."""
    return max(1, steps // N_PREVIEWS)


class Prompts(NamedTuple):
    """What is drawn: captions, or instructions for the sources of one edit."""

    captions: Sequence[Float[Tensor, "_ f"]]
    no_caption: Float[Tensor, "_ f"]
    cells: tuple[int, int]  # height and width of the latent
    seen: Seen | None = None


def prompts_of(encoders: Encoders, example: Example, captions: Sequence[str], side: int) -> Prompts:
    """Captions for squares of `side` pixels, or instructions for an edit's sources, drawn at its size."""
    if not example.references:
        return caption_prompts(encoders, captions, (side // CELL, side // CELL))
    edit = encoders.example(replace(example, captions=tuple(captions)), side * side)
    assert edit.seen
    _, height, width = edit.picture.mean.shape
    return Prompts(edit.captions, edit.seen.no_caption, (height, width), edit.seen)


def caption_prompts(encoders: Encoders, captions: Sequence[str], cells: tuple[int, int]) -> Prompts:
    """Captions for latents of `cells`."""
    return Prompts([encoders.caption(words) for words in captions], encoders.caption(""), cells)


@dataclass(frozen=True, kw_only=True)
class Previews:
    """What is drawn, and how."""

    prompts: Prompts
    preset: Preset
    every: int  # steps
    decode: Callable[[Float[Tensor, "1 z h w"]], Image.Image]  # of a latent in model space
    seed: int = 0

    def is_due(self, done: int, steps: int) -> bool:
        """Whether pictures are drawn after so many steps of all."""
        return done % self.every == 0 or done == steps

    def save(self, dit: S3DiT, done: int, folder: Path | None, run: RunBlock | None = None) -> None:
        """Draw, and write FOLDER/previews/000200-1.png of step 200, prompt 1; only draw without a folder."""
        for number, caption in enumerate(self.prompts.captions, 1):
            picture = self.drawn(dit, caption, run or run_block)
            if folder is None:  # another process of the run writes
                continue
            place = folder / FOLDER
            place.mkdir(parents=True, exist_ok=True)
            write_atomically(place / f"{done:06}-{number}.png", lambda file, drawn=picture: drawn.save(file, "PNG"))

    @torch.no_grad()
    def drawn(self, dit: S3DiT, caption: Float[Tensor, "n f"], run: RunBlock = run_block) -> Image.Image:
        """One picture, by the network as it is now."""
        preset, generator = self.preset, torch.Generator().manual_seed(self.seed)
        sigmas = shifted_schedule(preset.steps, preset.shift)
        positive, negative = (
            dit.flow(self._condition(dit, each, run), sigmas.tolist(), run=run)
            for each in (caption, self.prompts.no_caption)
        )
        noise = torch.randn(1, 16, *self.prompts.cells, generator=generator).to(dit.x_pad_token.device)
        *_, last = denoise(
            positive,
            noise,
            sigmas,
            solver=SOLVERS[preset.solver](),
            negative=negative,
            guidance=Guidance(cfg=preset.cfg),
        )
        return self.decode(last.x)

    def _condition(self, dit: S3DiT, words: Float[Tensor, "n f"], run: RunBlock) -> Condition:
        like, cells, seen = dit.x_pad_token, self.prompts.cells, self.prompts.seen
        if seen is None:
            return dit.prepare([words.to(like)], cells, run=run)
        chunks = [each.to(like) for each in seen.chunks(words)]
        return dit.prepare_with_references([chunks], [[each.to(like) for each in seen.references]], cells, run=run)


def latest_previews(folder: Path) -> list[Path]:
    """The files of the newest step that was drawn for a run in `folder`, in the order of its prompts."""
    files = sorted((folder / FOLDER).glob("*-*.png"))
    newest = files[-1].name.partition("-")[0] if files else ""
    return [file for file in files if file.name.startswith(f"{newest}-")]
