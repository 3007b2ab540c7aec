"""What the gate judges: nano's drawings and edits, exact and with every lossy lever, on scenes and edits held out.

A lever draws in batches of one size with one seed each, so the first pictures of a long run are those of a short one.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from PIL import Image

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
from zimage_core.sampling import NANO, SOLVERS, UNCACHED, Guidance, Preset, StepCache, denoise, shifted_schedule
from zimage_core.text import tokenize
from zimage_core.vae import to_images

BATCH = 4
QUICK = ("drawing", "drawing, int8", "edits")


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
    cache: StepCache = UNCACHED
    truncation: float = 1.0  # part of the noise that is gone when guidance ends

    def pictures(self, n: int) -> Iterator[Image.Image]:
        """Batch by batch."""
        model = model_with(self.scheme)
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
    scheme: Scheme | None = None

    def pictures(self, n: int) -> Iterator[Image.Image]:
        """Batch by batch."""
        model = model_with(self.scheme)
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
    Drawing(name="drawing, step cache 0.05", cache=StepCache(threshold=0.05)),
    Drawing(name="drawing, guidance ends at 0.5", truncation=0.5),
    Drawing(name="drawing, 8 steps without guidance", preset=TURBO_LIKE),
    Editing(name="edits"),
    Editing(name="edits, int8", scheme=INT8),
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
def model_with(scheme: Scheme | None) -> EditingModel:
    """nano, with 8-bit layers if a scheme says so."""
    model = load_editor(FOLDER)
    if scheme is not None:
        quantize_layers(model.dit, scheme)
    return model


def draw(
    model: EditingModel, prompts: Sequence[str], seed: int, preset: Preset, guidance: Guidance, cache: StepCache
) -> list[Image.Image]:
    """Pictures of prompts at once."""
    captions = model.text_encoder.encode([tokenize(model.tokenizer, prompt).ids for prompt in prompts])
    empty = model.text_encoder.encode([tokenize(model.tokenizer, "").ids]) * len(prompts)
    *_, last = denoise(
        lambda x, sigma: torch.stack(list(model.dit(x, torch.full((len(x),), float(sigma)), captions))),
        torch.randn(len(prompts), 16, 8, 8, generator=torch.Generator().manual_seed(seed)),
        shifted_schedule(preset.steps, preset.shift),
        solver=SOLVERS[preset.solver](),
        negative=lambda x, sigma: torch.stack(list(model.dit(x, torch.full((len(x),), float(sigma)), empty))),
        guidance=guidance,
        cache=cache,
    )
    return to_images(model.vae.decode(last.x))
