"""`python -m zimage_core.nano.judging.judge_regions`: two objects by two prompts, each heard in its half.

Captions describe one object each; nano was never trained to draw two from words. The same two objects are also asked
for in one sentence without regions. Leakage is how often an object's half shows the colour of the other.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from ...attention import attention
from ...conditioning.region_area import Box, caption_weights, token_coverage
from ...conditioning.region_bias import BiasChannels, attend_with_bias, bias_channels, region_bias
from ...model import Block, Stage, VelocityField
from ...model.captions import prepare_side_by_side
from ...model.sequence import padded_length
from ...sampling import NANO, SOLVERS, Guidance, denoise, shifted_schedule
from ...text import tokenize
from ...vae import from_images, to_images
from ..data.captions import ENGLISH, plain_caption
from ..data.scenes import COLOURS, ROWS, SHAPES, Scene, SceneObject
from ..files import FOLDER
from .edit_checker import recognize_objects
from .judge import Model, load, print_report

GRID = (4, 4)  # image tokens of 64x64 pixels
LATENT = (8, 8)
HALVES = {"left": Box(x=0, y=0, width=0.5, height=1), "right": Box(x=0.5, y=0, width=0.5, height=1)}
PLAIN_GROUNDS = ("white", "black", "grey")
COLUMNS = ("objects", "shape", "colour", "both", "leaked", "two objects", "ground")

Pair = tuple[SceneObject, SceneObject, str]  # left, right, ground


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of the regions of one row."""

    whole: Callable[[Pair], str]  # the whole prompt
    sides: tuple[str, ...] = ("left", "right")
    global_weight: float = 0.3
    outside: float = 0.0
    end: float = 1.0  # of the schedule
    layers: Callable[[int], bool] = lambda index: True
    has_places: bool = True  # whether a region's words say where its object is


def pairs(n: int) -> list[Pair]:
    """Two small objects side by side, other in shape and colour, drawn by a seed."""
    rng = random.Random(0)
    drawn: list[Pair] = []
    for _ in range(n):
        shapes, colours, row = rng.sample(SHAPES, 2), rng.sample(list(COLOURS), 2), rng.choice(list(ROWS))
        places = zip(shapes, colours, HALVES, strict=True)
        left, right = (SceneObject(shape=s, colour=c, size="small", row=row, column=side) for s, c, side in places)
        drawn.append((left, right, rng.choice(PLAIN_GROUNDS)))
    return drawn


def sentence(thing: SceneObject, ground: str) -> str:
    """An object's caption, which says its place."""
    return plain_caption(Scene(**vars(thing), ground=ground), "en")


def both(pair: Pair) -> str:
    """Both captions in one sentence."""
    left, right, ground = pair
    return f"{sentence(left, ground)} and {sentence(right, ground)}"


def ground_alone(pair: Pair) -> str:
    """The words of the ground."""
    return ENGLISH[pair[2]][0]


def without_place(thing: SceneObject, ground: str) -> str:
    """The words of an object without its position."""
    return f"a {thing.size} {thing.colour} {thing.shape} {ENGLISH[ground][0]}"


def embed(model: Model, text: str) -> Tensor:
    """Text embeddings (n, f) of a prompt."""
    (features,) = model.text_encoder.encode([tokenize(model.tokenizer, text).ids])
    return features


def pictures(model: Model, settings: Settings | None, drawn: Sequence[Pair], first_seed: int = 0) -> list[Image.Image]:
    """A picture of every pair; those whose captions pad alike run as one batch."""
    groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    captions = [[embed(model, text) for text in texts(settings, pair)] for pair in drawn]
    for index, each in enumerate(captions):
        groups[tuple(padded_length(len(caption)) for caption in each)].append(index)
    found: dict[int, Image.Image] = {}
    for lengths, items in groups.items():
        slots = list(zip(*(captions[index] for index in items), strict=True))
        field = regional_field(model, settings, slots, lengths)
        found.update(zip(items, draw(model, field, [first_seed + index for index in items]), strict=True))
    return [found[index] for index in range(len(drawn))]


def texts(settings: Settings | None, pair: Pair) -> list[str]:
    """The whole prompt and those of the regions."""
    if settings is None:
        return [both(pair)]
    things = {"left": pair[0], "right": pair[1]}
    say = sentence if settings.has_places else without_place
    return [settings.whole(pair), *(say(things[side], pair[2]) for side in settings.sides)]


def plain_field(model: Model, captions: Sequence[Tensor]) -> VelocityField:
    """The velocity of one prompt for every item."""
    return model.dit.flow(model.dit.prepare(captions, LATENT))


def regional_field(
    model: Model, settings: Settings | None, slots: Sequence[Sequence[Tensor]], lengths: Sequence[int]
) -> VelocityField:
    """The velocity with regions, up to the end of their range; `slots` are captions of all items, padded to lengths."""
    free = plain_field(model, slots[0])
    if settings is None:
        return free
    n = len(settings.sides)
    weights = caption_weights(
        [token_coverage(HALVES[side], GRID) for side in settings.sides],
        strengths=[1.0] * n,
        outsides=[settings.outside] * n,
        global_weights=[settings.global_weight] * n,
    )
    heard = [index for index, row in enumerate(weights) if row.any()]
    condition = prepare_side_by_side(model.dit, [slots[index] for index in heard], LATENT)
    bias = region_bias([lengths[index] for index in heard], weights[heard], condition.image_rope.shape[1])
    channels = bias_channels(bias, model.dit.config.head_dim, condition.caption)
    regional = model.dit.flow(condition, run=partial(run_with, channels, settings.layers))
    last = shifted_schedule(NANO.steps, NANO.shift)[round(settings.end * NANO.steps)].item()

    def velocity(x: Tensor, sigma: float | Tensor) -> Tensor:
        return (regional if float(sigma) > last else free)(x, sigma)

    return velocity


def run_with(
    channels: BiasChannels, layers: Callable[[int], bool], stage: Stage, index: int, block: Block, x: Tensor
) -> Tensor:
    """A block with the bias, in the chosen layers of the joint sequence."""
    is_biased = stage.name == "layers" and layers(index)
    attend = partial(attend_with_bias, channels, attention) if is_biased else attention
    return block(x, rope=stage.rope, norms=stage.norm_weights[index], attend=attend)


def draw(model: Model, field: VelocityField, seeds: Sequence[int]) -> list[Image.Image]:
    """Pictures at nano's settings."""
    noise = [torch.randn(16, *LATENT, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    *_, last = denoise(
        field,
        torch.stack(noise),
        shifted_schedule(NANO.steps, NANO.shift),
        solver=SOLVERS[NANO.solver](),
        negative=plain_field(model, [embed(model, "")]),
        guidance=Guidance(cfg=NANO.cfg),
    )
    return to_images(model.vae.decode(last.x))


def judged(picture: Image.Image, pair: Pair) -> Iterator[tuple[str, bool]]:
    """Name and value of everything that is counted of a picture."""
    left, right, ground = pair
    found_ground, found = recognize_objects(picture)
    yield "ground", found_ground == ground
    yield "two objects", len(found) == 2
    for own, other in ((left, right), (right, left)):
        here = [each for each in found if each.column == own.column]
        yield "objects", bool(here)
        yield "shape", any(each.shape == own.shape for each in here)
        yield "colour", any(each.colour == own.colour for each in here)
        yield "both", any((each.shape, each.colour) == (own.shape, own.colour) for each in here)
        yield "leaked", any(each.colour == other.colour for each in here)


def rows() -> Iterator[tuple[str, Settings | None]]:
    """Settings by name; None is one sentence without regions."""
    plain = Settings(whole=both)
    yield "one sentence, no regions", None
    for weight in (0.0, 0.1, 0.3, 1.0):
        yield f"regions, whole prompt at {weight:g}", replace(plain, global_weight=weight)
    yield "the ground as whole prompt, at 0.3", replace(plain, whole=ground_alone)
    yield "the ground as whole prompt, at 1", replace(plain, whole=ground_alone, global_weight=1.0)
    yield "in even layers only", replace(plain, layers=lambda index: index % 2 == 0)
    yield "in the first half of the run only", replace(plain, end=0.5)
    yield "outside 0.1", replace(plain, outside=0.1)
    yield "outside 0.3", replace(plain, outside=0.3)
    yield "words without places", replace(plain, has_places=False, whole=ground_alone)


def kept_layout(model: Model, drawn: Sequence[Pair]) -> str:
    """How far the left half moves when the right region is removed, and at another seed: mean difference of pixels."""
    both_sides = Settings(whole=ground_alone)
    alone = replace(both_sides, sides=("left",))
    two, one, other = (
        torch.stack([left_half(each) for each in pictures(model, settings, drawn, first_seed)])
        for settings, first_seed in ((both_sides, 0), (alone, 0), (alone, 1000))
    )
    moved = ((two - each).abs().mean().item() for each in (one, other))
    return "left half, mean difference: {:.4f} without the right region, {:.4f} without it at another seed".format(
        *moved
    )


def left_half(picture: Image.Image) -> Tensor:
    """The pixels of the left half, 0 to 1."""
    return from_images([picture])[0, :, :, : picture.width // 2] / 2 + 0.5


@torch.inference_mode()
def report(limit: int) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    model, drawn = load(FOLDER), pairs(limit)
    yield f"| {limit} pairs | {' | '.join(COLUMNS)} |"
    yield "| --- " * (len(COLUMNS) + 1) + "|"
    for name, settings in rows():
        counts: dict[str, list[bool]] = {column: [] for column in COLUMNS}
        for picture, pair in zip(pictures(model, settings, drawn), drawn, strict=True):
            for column, value in judged(picture, pair):
                counts[column].append(value)
        yield f"| {name} | " + " | ".join(f"{sum(each) / len(each):.3f}" for each in counts.values()) + " |"
    yield kept_layout(model, drawn)


def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "pairs of objects", limit=48)


if __name__ == "__main__":
    main()
