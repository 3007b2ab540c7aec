"""Pictures that a model draws while it is trained: always of the same prompts and seed, with its variant's sampler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .._shapes import Float
from ..atomic_file import write_atomically
from ..model import S3DiT
from ..sampling import SOLVERS, Guidance, Preset, denoise, shifted_schedule

FOLDER = "previews"  # beside the saved state
N_PREVIEWS = 5  # in a run


@dataclass(frozen=True, kw_only=True)
class Previews:
    """What is drawn, and how."""

    captions: Sequence[Float[Tensor, "_ f"]]
    no_caption: Float[Tensor, "_ f"]
    cells: tuple[int, int]  # height and width of the latent
    preset: Preset
    every: int  # steps
    decode: Callable[[Float[Tensor, "1 z h w"]], Image.Image]  # of a latent in model space
    seed: int = 0

    def is_due(self, done: int, steps: int) -> bool:
        """Whether pictures are drawn after so many steps of all."""
        return done % self.every == 0 or done == steps

    def save(self, dit: S3DiT, done: int, folder: Path | None) -> None:
        """Draw, and write FOLDER/previews/000200-1.png of step 200, prompt 1; only draw without a folder."""
        for number, caption in enumerate(self.captions, 1):
            picture = self.drawn(dit, caption)
            if folder is None:  # another process of the run writes
                continue
            place = folder / FOLDER
            place.mkdir(parents=True, exist_ok=True)
            write_atomically(place / f"{done:06}-{number}.png", lambda file, drawn=picture: drawn.save(file, "PNG"))

    @torch.no_grad()
    def drawn(self, dit: S3DiT, caption: Float[Tensor, "n f"]) -> Image.Image:
        """One picture, by the network as it is now."""
        like, preset = dit.x_pad_token, self.preset
        sigmas = shifted_schedule(preset.steps, preset.shift)
        positive, negative = (
            dit.flow(dit.prepare([each.to(like)], self.cells), sigmas.tolist()) for each in (caption, self.no_caption)
        )
        noise = torch.randn(1, 16, *self.cells, generator=torch.Generator().manual_seed(self.seed)).to(like.device)
        *_, last = denoise(
            positive,
            noise,
            sigmas,
            solver=SOLVERS[preset.solver](),
            negative=negative,
            guidance=Guidance(cfg=preset.cfg),
        )
        return self.decode(last.x)


def latest_previews(folder: Path) -> list[Path]:
    """The files of the newest step that was drawn for a run in `folder`, in the order of its prompts."""
    files = sorted((folder / FOLDER).glob("*-*.png"))
    newest = files[-1].name.partition("-")[0] if files else ""
    return [file for file in files if file.name.startswith(f"{newest}-")]
