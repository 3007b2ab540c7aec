"""Draws the pictures of a suite with a MODEL, as the sampler nodes draw with the same settings and seeds."""

from dataclasses import dataclass
from typing import Any

import comfy.utils
from comfy import model_management
from PIL import Image

from .....zimage_core.sampling import Guidance, shifted_schedule
from ...loading.vae import CELL
from .. import images, prompts, sampling
from ..scores import pil_pictures

PARTS = 100  # of the bar, for each picture
SEEDS = 1 << 64


class SuiteBar:
    """One progress bar for all pictures; the steps of each move it by its part."""

    def __init__(self, pictures: int) -> None:
        self._bar = comfy.utils.ProgressBar(max(1, pictures) * PARTS)
        self.done = 0  # pictures

    def update_absolute(self, value: int, total: int, preview: Any = None) -> None:
        """Told by a sampler: so many of its steps are done."""
        self._bar.update_absolute(self.done * PARTS + PARTS * value // max(1, total), preview=preview)

    def finish(self, pictures: int) -> None:
        """So many pictures more are drawn and measured."""
        self.done += pictures
        self._bar.update_absolute(self.done * PARTS)


@dataclass(frozen=True, kw_only=True)
class Painter:
    """One picture at a time; what is connected to the node, and its settings."""

    model: Any
    clip: Any
    vae: Any
    latent: dict[str, Any]
    steps: int
    cfg: float
    solver: str
    shift: float
    bar: SuiteBar

    @property
    def told(self) -> str:
        """The settings, for a report."""
        height, width = (side * CELL for side in self.latent["samples"].shape[-2:])
        return f"drawn in {self.steps} steps at {width}x{height}, CFG {self.cfg:g}, {self.solver}, shift {self.shift:g}"

    def __call__(self, prompt: str, seed: int) -> Image.Image:
        """The picture of a prompt; raises what ends an interrupted prompt."""
        model_management.throw_exception_if_processing_interrupted()
        positive, _ = prompts.encode(self.clip, prompt, is_cut=False)
        negative = positive if self.cfg == 1 else prompts.encode(self.clip, "", is_cut=False)[0]
        drawn = sampling.sample(
            *(self.model, positive, negative, {**self.latent, "samples": self.latent["samples"][:1]}),
            sigmas=shifted_schedule(self.steps, self.shift),
            seed=seed % SEEDS,
            solver=self.solver,
            guidance=Guidance(cfg=self.cfg),
            shift=self.shift,
            bar=self.bar,
        )
        [picture] = pil_pictures(images.decode(self.vae, drawn.latent, 0))
        return picture


def connected(inputs: dict[str, Any], bar: SuiteBar) -> Painter:
    """The painter of a node's inputs; ValueError where something is not connected."""
    missing = [name for name in ("model", "clip", "vae", "latent") if inputs.get(name) is None]
    if missing:
        raise ValueError(
            f"Nothing draws the pictures: connect {', '.join(missing)}, or name a folder of pictures already drawn."
        )
    names = ("model", "clip", "vae", "latent", "steps", "cfg", "solver", "shift")
    return Painter(bar=bar, **{name: inputs[name] for name in names})
