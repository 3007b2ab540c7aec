"""`python -m zimage_core.nano.judging.judge_negative`: how often nano draws a colour that NAG's negative prompt names.

Each prompt leaves the colour open; avoided are the two colours that nano then draws most. NAG runs as it was published,
both prompts side by side, without this pack's shorter way.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ...attention import Attention, attention
from ...conditioning.nag import NormalizedGuidance
from ...conditioning.part_of_run import begins_in
from ...model import Block, Stage
from ...sampling import SOLVERS, denoise, shift_sigma, shifted_schedule
from ...text import tokenize
from ...vae import to_images
from ..data.scenes import SHAPES, Scene
from ..files import FOLDER
from .checker import recognize
from .judge import BATCH, TURBO_LIKE, Model, load, print_report

LATENT = (8, 8)
KEPT = ("shape", "size", "row", "column", "ground")  # that the prompt names
SETTINGS = (  # scale, alpha, end
    (1.0, 0.25, 0.0),
    (1.5, 0.25, 1.0),
    (3.0, 0.25, 0.25),
    (2.0, 0.25, 0.5),
    (3.0, 0.25, 0.5),
    (5.0, 0.25, 0.5),
    (3.0, 0.25, 0.75),
    (3.0, 0.25, 1.0),
    (11.0, 0.25, 1.0),
    (5.0, 0.5, 1.0),
)


class Asked(NamedTuple):
    """A picture with a colour to avoid."""

    shape: str
    seed: int
    avoided: str

    @property
    def prompt(self) -> str:
        """A sentence that leaves the colour open."""
        return f"a large {self.shape} in the middle on a white background"


def attend_beside(guidance: NormalizedGuidance, image: slice, q: Tensor, k: Tensor, v: Tensor, **_: object) -> Tensor:
    """Attention of prompts (the first half) and negative prompts, whose picture tokens get the guided result alike."""
    out = attention(q, k, v)
    positive, negative = (each[:, image] for each in out.chunk(2))
    guided = guidance(positive, negative)
    out[:, image] = torch.cat((guided, guided))
    return out


def run_guided(attend: Attention, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """A block whose attention is guided in the layers."""
    used = attend if stage.name == "layers" else attention
    return block(x, rope=stage.rope, norms=stage.norm_weights[index], attend=used)


def draw(model: Model, asked: Sequence[Asked], guidance: NormalizedGuidance, end: float) -> list[Scene]:
    """The scenes recognized in the pictures."""
    prompts = [each.prompt for each in asked]
    avoided = [f"a {each.avoided} {each.shape}" for each in asked]
    captions, negatives = (
        model.text_encoder.encode([tokenize(model.tokenizer, text).ids for text in texts])
        for texts in (prompts, avoided)
    )
    plain = model.dit.flow(model.dit.prepare(captions, LATENT))
    both = model.dit.prepare([*captions, *negatives], LATENT)  # all of these prompts pad to one length
    image = slice(both.image_start, both.image_start + both.size[0] * both.size[1])
    guided = model.dit.flow(both, run=partial(run_guided, partial(attend_beside, guidance, image)))
    end_sigma = float(shift_sigma(torch.tensor([1 - end]), TURBO_LIKE.shift))

    def velocity(x: Tensor, sigma: float) -> Tensor:
        if guidance.is_on and begins_in(sigma, (1.0, end_sigma)):
            return guided(torch.cat((x, x)), sigma)[: len(x)]
        return plain(x, sigma)

    noise = [torch.randn(16, *LATENT, generator=torch.Generator().manual_seed(each.seed)) for each in asked]
    sigmas = shifted_schedule(TURBO_LIKE.steps, TURBO_LIKE.shift)
    *_, last = denoise(velocity, torch.stack(noise), sigmas, solver=SOLVERS[TURBO_LIKE.solver]())
    return [recognize(picture) for picture in to_images(model.vae.decode(last.x))]


def scenes_of(model: Model, asked: Sequence[Asked], guidance: NormalizedGuidance, end: float) -> list[Scene]:
    """The same, some at a time."""
    batches = (asked[start : start + BATCH] for start in range(0, len(asked), BATCH))
    return [scene for batch in batches for scene in draw(model, batch, guidance, end)]


def colours_to_avoid(model: Model, seeds: int) -> list[Asked]:
    """Every shape and seed twice: with each of the two colours that nano draws most of this shape by itself."""
    asked: list[Asked] = []
    for shape in SHAPES:
        free = [Asked(shape, seed, "red") for seed in range(seeds)]
        found = scenes_of(model, free, NormalizedGuidance(scale=1.0), 0.0)
        most = [colour for colour, _ in Counter(scene.colour for scene in found).most_common(2)]
        asked += [Asked(shape, seed, colour) for colour in most for seed in range(seeds)]
    return asked


def report(limit: int) -> Iterator[str]:
    """The table for so many seeds of each shape and colour, in Markdown."""
    model = load(FOLDER)
    asked = colours_to_avoid(model, limit)
    yield f"| scale, alpha, end ({len(asked)} pictures) | avoided colour | the prompt's other words |"
    yield "| --- | --- | --- |"
    for scale, alpha, end in SETTINGS:
        found = scenes_of(model, asked, NormalizedGuidance(scale=scale, alpha=alpha), end)
        pairs = list(zip(found, asked, strict=True))
        avoided = sum(scene.colour == each.avoided for scene, each in pairs) / len(pairs)
        right = sum(getattr(scene, name) == value for scene, each in pairs for name, value in named(each))
        yield f"| {scale:g}, {alpha:g}, {end:g} | {avoided:.3f} | {right / len(pairs) / len(KEPT):.3f} |"


def named(asked: Asked) -> Iterator[tuple[str, str]]:
    """What the prompt says of a scene."""
    yield from zip(KEPT, (asked.shape, "large", "middle", "middle", "white"), strict=True)


@torch.inference_mode()
def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "seeds of each shape and colour", limit=8, threads=1)


if __name__ == "__main__":
    main()
