"""Measures ways to draw beyond the native size on nano, at twice its side: the checker on the picture made small again.

python -m zimage_core.nano.judging.judge_large --limit 48
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

from ...config import NANO_SIDE
from ...model import Condition
from ...model.position_scaling import PositionScaling, with_scaled_positions
from ...sampling import (
    NANO,
    SOLVERS,
    Guidance,
    Tiling,
    blend,
    borders,
    denoise,
    seam_error,
    shifted_schedule,
    start_latent,
)
from ...text import tokenize
from ...vae import from_images, to_images
from ..data.captions import plain_caption
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .checker import Score, check
from .judge import Model, load, print_report, renders, shuffled

CELLS = NANO_SIDE // 8
NATIVE, LARGE, THREEFOLD = ((times * CELLS, times * CELLS) for times in (1, 2, 3))
POSITIONS = PositionScaling(base=CELLS // 2)
VISION_YARN = PositionScaling(base=CELLS // 2, method="vision yarn")
BATCH = 24
ATTRIBUTES = tuple(field.name for field in fields(Score))
SWITCHES = (0.5, 0.35, 0.2)
OVERLAPS = (0, 2, 4)

Enlarge = Callable[[Model, Tensor], Tensor]
Draw = Callable[["Scenes"], Tensor]  # clean latents (b, 16, h, w)


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """A batch of scenes with their prompts."""

    model: Model
    scenes: Sequence[Scene]
    captions: list[Tensor]
    empty: list[Tensor]
    seed: int

    def noise(self, size: tuple[int, int], offset: int = 0) -> Tensor:
        """The batch's noise."""
        generator = torch.Generator().manual_seed(self.seed + 1000 * offset)
        return torch.randn(len(self.scenes), 16, *size, generator=generator)

    def run(
        self,
        x: Tensor,
        sigmas: Tensor,
        *,
        tiling: Tiling | None = None,
        positions: PositionScaling | None = None,
        is_wordless: bool = False,
    ) -> Tensor:
        """The clean latents after sampling x along `sigmas` with nano's settings; wordless ones without guidance."""
        whole = (x.shape[-2], x.shape[-1])
        size = tiling.largest(whole) if tiling else whole
        prompts = (self.empty,) * 2 if is_wordless else (self.captions, self.empty)
        conditions = [self.model.dit.prepare(each, size) for each in prompts]
        fields_ = [partial(self.velocity, condition, tiling, positions) for condition in conditions]
        *_, last = denoise(
            fields_[0],
            x,
            sigmas,
            solver=SOLVERS[NANO.solver](),
            negative=fields_[1],
            guidance=Guidance(cfg=1.0 if is_wordless else NANO.cfg),
        )
        return last.x

    def velocity(
        self, condition: Condition, tiling: Tiling | None, positions: PositionScaling | None, x: Tensor, sigma: float
    ) -> Tensor:
        """At latents x, in tiles or with scaled positions."""
        dit = self.model.dit
        if positions is not None:
            condition = with_scaled_positions(
                condition, positions, dit.config.axes_dims, dit.config.rope_theta, float(sigma)
            )
        field = dit.flow(condition)
        return field(x, sigma) if tiling is None else blend(tiling, x, lambda tile, _: field(tile, sigma))


def schedule() -> Tensor:
    """Nano's."""
    return shifted_schedule(NANO.steps, NANO.shift)


def at_once(size: tuple[int, int], positions: PositionScaling | None, batch: Scenes) -> Tensor:
    """From noise at one size."""
    return batch.run(batch.noise(size), schedule(), positions=positions)


def small_first(
    switch: float,
    tiling: Tiling | None,
    positions: PositionScaling | None,
    batch: Scenes,
    *,
    enlarges: Enlarge | None = None,
    is_wordless: bool = False,
) -> Tensor:
    """At the native size to the end; enlarged, as a picture unless `enlarges` is given, and from `switch` on large."""
    sigmas = schedule()
    index = int((sigmas > switch).sum())
    small = batch.run(batch.noise(NATIVE), sigmas)
    large = (enlarges or as_pictures)(batch.model, small)
    x = start_latent(batch.noise(LARGE, 1), large, float(sigmas[index]))
    return batch.run(x, sigmas[index:], tiling=tiling, positions=positions, is_wordless=is_wordless)


def as_pictures(model: Model, small: Tensor) -> Tensor:
    """Latents decoded, enlarged bicubically and encoded again."""
    pictures = interpolate(model.vae.decode(small), scale_factor=2, mode="bicubic", antialias=True)
    return model.vae.encode(pictures.clamp(-1, 1))


def as_latents(_: Model, small: Tensor) -> Tensor:
    """Latents enlarged themselves."""
    return interpolate(small, scale_factor=2, mode="bicubic")


def contenders() -> Iterator[tuple[str, Draw]]:
    """Rows of the table."""
    quarter = Tiling(height=CELLS, width=CELLS, overlap=CELLS // 4)
    ways = (
        ("whole", None, None),
        ("scaled positions", None, POSITIONS),
        ("Vision YaRN", None, VISION_YARN),
        ("tiles", quarter, None),
    )
    yield "native size (reference)", partial(at_once, NATIVE, None)
    yield "enlarged only", lambda batch: as_pictures(batch.model, at_once(NATIVE, None, batch))
    yield "at once", partial(at_once, LARGE, None)
    yield "at once, scaled positions", partial(at_once, LARGE, POSITIONS)
    yield "at once, Vision YaRN", partial(at_once, LARGE, VISION_YARN)
    yield "at once, three times the side", partial(at_once, THREEFOLD, None)
    yield "at once, three times the side, scaled positions", partial(at_once, THREEFOLD, POSITIONS)
    yield "at once, three times the side, Vision YaRN", partial(at_once, THREEFOLD, VISION_YARN)
    for switch in SWITCHES:
        for name, tiling, positions in ways:
            yield f"small first, from {switch}, {name}", partial(small_first, switch, tiling, positions)
        row = partial(small_first, switch, quarter, None, is_wordless=True)
        yield f"small first, from {switch}, tiles without words", row
    for name, tiling, positions in ways:
        row = partial(small_first, 0.35, tiling, positions, enlarges=as_latents)
        yield f"small first, latent enlarged, from 0.35, {name}", row


def tile_contenders() -> Iterator[tuple[int, Draw]]:
    """Overlaps in cells."""
    for overlap in OVERLAPS:
        tiling = Tiling(height=CELLS, width=CELLS, overlap=overlap)
        yield overlap, partial(small_first, 0.35, tiling, None)


def batches(model: Model, scenes: Sequence[Scene]) -> Iterator[Scenes]:
    """The scenes with their prompts, some at a time."""
    for first in range(0, len(scenes), BATCH):
        some = scenes[first : first + BATCH]
        ids = [tokenize(model.tokenizer, plain_caption(scene, "en")).ids for scene in some]
        empty = model.text_encoder.encode([tokenize(model.tokenizer, "").ids])
        captions = model.text_encoder.encode(ids)
        longest = max(map(len, captions))
        same = [index for index, each in enumerate(captions) if -(-len(each) // 32) == -(-longest // 32)]
        yield Scenes(
            model=model,
            scenes=[some[index] for index in same],
            captions=[captions[index] for index in same],
            empty=list(empty) * len(same),
            seed=first,
        )


def small_pictures(model: Model, latents: Tensor) -> list[Image.Image]:
    """Decoded and at the renderer's side, which the checker reads."""
    pictures = to_images(model.vae.decode(latents))
    return [each.resize((NANO_SIDE, NANO_SIDE), Image.Resampling.BOX) for each in pictures]


@torch.inference_mode()
def accuracy(model: Model, name: str, draw: Draw, scenes: Sequence[Scene]) -> dict[str, float]:
    """How often each attribute is right, and all five at once."""
    scores: list[Score] = []
    for batch in tqdm(batches(model, scenes), desc=name, leave=False):
        scores += map(check, small_pictures(model, draw(batch)), batch.scenes)
    rates = {name: sum(getattr(score, name) for score in scores) / len(scores) for name in ATTRIBUTES}
    return rates | {"all": sum(all(getattr(score, name) for name in ATTRIBUTES) for score in scores) / len(scores)}


@torch.inference_mode()
def seams(model: Model, overlap: int, draw: Draw, scenes: Sequence[Scene]) -> float:
    """`seam_error` of the decoded pictures at the borders of tiles of the native size."""
    lines = [8 * cell for cell in borders(LARGE[0], CELLS, overlap)]
    pictures = [model.vae.decode(draw(batch)) for batch in batches(model, scenes)]
    return seam_error(torch.cat(pictures).float(), lines, lines)


@torch.inference_mode()
def untiled_seams(model: Model, overlap: int, scenes: Sequence[Scene]) -> float:
    """The same lines in pictures of the same scenes that never were in tiles: renders, enlarged, through the VAE."""
    lines = [8 * cell for cell in borders(LARGE[0], CELLS, overlap)]
    large = [each.resize((2 * NANO_SIDE, 2 * NANO_SIDE), Image.Resampling.BICUBIC) for each in renders(scenes, 0)]
    return seam_error(model.vae.decode(model.vae.encode(from_images(large))).float(), lines, lines)


def report(limit: int) -> Iterator[str]:
    """Both tables in Markdown."""
    model, scenes = load(FOLDER), shuffled(held_out_scenes())[:limit]
    yield f"| {limit} scenes at {2 * NANO_SIDE}x{2 * NANO_SIDE} | {' | '.join((*ATTRIBUTES, 'all'))} |"
    yield "| --- |" + " --- |" * (len(ATTRIBUTES) + 1)
    for name, draw in contenders():
        rates = accuracy(model, name, draw, scenes)
        yield f"| {name} | {' | '.join(f'{rate:.3f}' for rate in rates.values())} |"
    yield ""
    yield "| overlap, cells of a tile's 8 | tiles | seam error | the same lines without tiles |"
    yield "| --- | --- | --- | --- |"
    for overlap, draw in tile_contenders():
        count = len(Tiling(height=CELLS, width=CELLS, overlap=overlap).windows(LARGE))
        found = seams(model, overlap, draw, scenes)
        yield f"| {overlap} | {count} | {found:+.3f} | {untiled_seams(model, overlap, scenes):+.3f} |"


def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "how many scenes", limit=48, threads=1)


if __name__ == "__main__":
    main()
