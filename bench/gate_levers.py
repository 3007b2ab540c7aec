"""What the gate judges: nano's drawings and edits, exact and with every lossy lever, on scenes and edits held out.

A lever draws in batches of one size with one seed each, so the first pictures of a long run are those of a short one.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from zimage_core.adapters import inject
from zimage_core.checkpoints import read_lora
from zimage_core.nano.data.captions import plain_caption
from zimage_core.nano.data.edit_captions import plain_instruction
from zimage_core.nano.data.edits import Edit, held_out_edits
from zimage_core.nano.data.render import pixels, render
from zimage_core.nano.data.scenes import Scene, held_out_scenes
from zimage_core.nano.files import FOLDER
from zimage_core.nano.judging.checker import TOLERANCE, alpha, check, nearest_colour, nearest_ground, palette
from zimage_core.nano.judging.edit_checker import MARGIN, check_edit, connected_components, dilate
from zimage_core.nano.judging.editor import EditingModel, load_editor
from zimage_core.nano.judging.judge import TURBO_LIKE
from zimage_core.quant import FP8, INT8, Scheme, quantize_layers
from zimage_core.sampling import (
    NANO,
    SOLVERS,
    UNCACHED,
    Guidance,
    Preset,
    StepCache,
    denoise,
    shifted_schedule,
)
from zimage_core.text import tokenize
from zimage_core.vae import to_images

BATCH = 4
FEW_STEPS = ", 8 steps without guidance"
QUICK = {"drawing": 4, f"drawing, int8{FEW_STEPS}": 8, f"edits{FEW_STEPS}": 8}  # and how many pictures of each
TURBO = FOLDER / "turbo/lora.safetensors"  # what makes nano draw in few steps, where there is one


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One picture: whether everything asked for is right, and how much of its levels nothing explains (0 to 1)."""

    is_right: bool
    unexplained: float


class Lever(Protocol):
    """A way in which nano draws or edits."""

    @property
    def name(self) -> str:
        """As the record calls it."""
        ...

    def pictures(self, n: int) -> Iterator[Image.Image]:
        """The first n pictures."""
        ...

    def outcome(self, index: int, picture: Image.Image) -> Outcome:
        """What a picture is worth."""
        ...

    def wanted(self, index: int) -> Image.Image:
        """What the picture should show."""
        ...

    def prompt(self, index: int) -> str:
        """What was asked."""
        ...


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Scenes from their captions."""

    name: str
    preset: Preset = NANO
    scheme: Scheme | None = None
    dtype: torch.dtype = torch.float32
    lora: Path | None = None
    cache: StepCache = UNCACHED
    truncation: float = 1.0  # part of the noise that is gone when guidance ends

    def pictures(self, n: int) -> Iterator[Image.Image]:
        """Batch by batch."""
        model = model_with(self.scheme, self.dtype, self.lora)
        for start in range(0, n, BATCH):
            prompts = [self.prompt(index) for index in range(start, start + BATCH)]
            guidance = Guidance(cfg=self.preset.cfg, truncation=self.truncation)
            yield from draw(model, prompts, start, self.preset, guidance, self.cache)[: n - start]

    def outcome(self, index: int, picture: Image.Image) -> Outcome:
        """Whether all five attributes are right."""
        is_right = all(vars(check(picture, scenes()[index])).values())
        return Outcome(is_right=is_right, unexplained=unexplained(picture))

    def wanted(self, index: int) -> Image.Image:
        """The renderer's picture."""
        return render(scenes()[index])

    def prompt(self, index: int) -> str:
        """The scene's caption."""
        return plain_caption(scenes()[index], "en")


@dataclass(frozen=True, kw_only=True)
class Editing:
    """Pictures edited by instructions."""

    name: str
    preset: Preset = NANO
    scheme: Scheme | None = None

    def pictures(self, n: int) -> Iterator[Image.Image]:
        """Batch by batch."""
        model = replace(model_with(self.scheme), preset=self.preset)
        for start in range(0, n, BATCH):
            numbers = range(start, start + BATCH)
            sources = [edits()[index].render(index)[0] for index in numbers]
            yield from model.edit(sources, [self.prompt(index) for index in numbers], start)[: n - start]

    def outcome(self, index: int, picture: Image.Image) -> Outcome:
        """Whether the edit was done and nothing else was changed."""
        return Outcome(is_right=check_edit(picture, edits()[index]).is_success, unexplained=unexplained(picture))

    def wanted(self, index: int) -> Image.Image:
        """The renderer's picture after the edit."""
        return edits()[index].render(index)[1]

    def prompt(self, index: int) -> str:
        """The edit's instruction."""
        return plain_instruction(edits()[index], "en").text


LEVERS: tuple[Lever, ...] = (
    Drawing(name="drawing"),
    Drawing(name="drawing, int8", scheme=INT8),
    Drawing(name="drawing, fp8", scheme=FP8),
    Drawing(name="drawing, bfloat16", dtype=torch.bfloat16),
    Drawing(name="drawing, step cache 0.05", cache=StepCache(threshold=0.05)),
    Drawing(name="drawing, guidance ends at 0.5", truncation=0.5),
    Drawing(name=f"drawing{FEW_STEPS}", preset=TURBO_LIKE),
    Drawing(name=f"drawing, int8{FEW_STEPS}", preset=TURBO_LIKE, scheme=INT8),
    Editing(name="edits"),
    Editing(name="edits, int8", scheme=INT8),
    Editing(name=f"edits{FEW_STEPS}", preset=TURBO_LIKE),
)


def turbo_levers(lora: Path) -> tuple[Lever, ...]:
    """nano's Turbo, which is nano with a LoRA, in 8 and 4 steps, exact and in int8."""
    few = replace(TURBO_LIKE, steps=4)
    return (
        Drawing(name="turbo, 8 steps", preset=TURBO_LIKE, lora=lora),
        Drawing(name="turbo, 4 steps", preset=few, lora=lora),
        Drawing(name="turbo, 4 steps, int8", preset=few, lora=lora, scheme=INT8),
    )


def unexplained(picture: Image.Image) -> float:
    """The mean difference between a picture and what its ground and its objects' colours make of it.

    Every pixel should lie between its ground and the colour of its object; noise, dirt and false colours do not.
    """
    image = pixels(picture)
    _, behind = nearest_ground(image)
    made = behind.copy()
    for mask in connected_components(np.abs(image - behind).max(-1) > TOLERANCE):
        colour = palette(nearest_colour(image, mask))
        here = dilate(mask, MARGIN)
        share = alpha(image, behind, colour)[..., None]
        made = np.where(here[..., None], behind + share * (colour - behind), made)
    return float(np.abs(image - made).mean())


@cache
def scenes() -> list[Scene]:
    """Held-out scenes in an order of their own."""
    found = held_out_scenes()
    random.Random(0).shuffle(found)
    return found


@cache
def edits() -> list[Edit]:
    """Held-out edits in an order of their own."""
    found = list(held_out_edits())
    random.Random(0).shuffle(found)
    return found


@cache
def model_with(
    scheme: Scheme | None = None, dtype: torch.dtype = torch.float32, lora: Path | None = None
) -> EditingModel:
    """nano with 8-bit layers if a scheme says so, with a LoRA, its transformer in any precision."""
    model = load_editor(FOLDER)
    if scheme is not None:
        quantize_layers(model.dit, scheme)
    if lora is not None:
        inject(model.dit, [(read_lora(lora), 1.0)])
    model.dit.to(dtype)
    return model


def draw(
    model: EditingModel, prompts: Sequence[str], seed: int, preset: Preset, guidance: Guidance, cache: StepCache
) -> list[Image.Image]:
    """Pictures of prompts at once."""
    dtype = next(model.dit.parameters()).dtype

    def velocity_of(words: Sequence[str]) -> Callable[[torch.Tensor, float], torch.Tensor]:
        features = model.text_encoder.encode([tokenize(model.tokenizer, each).ids for each in words])
        captions = [each.to(dtype) for each in features]

        def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
            found = model.dit(x.to(dtype), torch.full((len(x),), float(sigma), dtype=dtype), captions)
            return torch.stack(list(found)).float()

        return velocity

    *_, last = denoise(
        velocity_of(prompts),
        torch.randn(len(prompts), 16, 8, 8, generator=torch.Generator().manual_seed(seed)),
        shifted_schedule(preset.steps, preset.shift),
        solver=SOLVERS[preset.solver](),
        negative=velocity_of([""] * len(prompts)),
        guidance=guidance,
        cache=cache,
    )
    return to_images(model.vae.decode(last.x))
