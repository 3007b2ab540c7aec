"""Measures what a style reference carries over, by the checker: `python -m zimage_core.nano.judging.judge_style`.

The prompts name shape, colour and position but no ground; the reference shows another scene. Counted is how often the
ground is the reference's (its style), and how often shape, colour and place are still the prompt's.
"""

import random
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from ...attention import Attention, attention
from ...conditioning.part_of_run import begins_in
from ...conditioning.shared_attention import SharedLayers, offsets_beside
from ...model import Block, Condition, Stage
from ...model.sequence import Grid
from ...sampling import SOLVERS, denoise, shift_sigma, shifted_schedule
from ...text import tokenize
from ...vae import from_images, to_images
from ..data.captions import ENGLISH
from ..data.render import render
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .checker import recognize
from .judge import BATCH, TURBO_LIKE, Model, load, print_report

LATENT_SIZE = (8, 8)
KEPT = ("shape", "colour", "row", "column")
SETTINGS = ((0.0, 0.6), (0.25, 0.6), (0.5, 0.6), (1.0, 0.3), (1.0, 0.6), (1.0, 1.0), (2.0, 0.6))  # strength, end


def prompt_without_ground(scene: Scene) -> str:
    """A sentence that says everything but the ground and the size."""
    colour, shape, position = (ENGLISH[each][0] for each in (scene.colour, scene.shape, f"{scene.row} {scene.column}"))
    return f"a {colour} {shape} {position}"


class SharingBlocks:
    """A `RunBlock` whose layers record or share keys and values."""

    def __init__(self, condition: Condition, attention_of: Callable[[int, slice, Attention], Attention]) -> None:
        height, width = condition.size
        self.image = slice(condition.image_start, condition.image_start + height * width)
        self.attention_of = attention_of

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        attend = attention
        if stage.name == "layers":
            attend = self.attention_of(index, self.image, attention)
        return block(x, rope=stage.rope, norms=stage.norm_weights[index], attend=attend)


def draw(
    model: Model, scenes: Sequence[Scene], references: Sequence[Scene], strength: float, end: float
) -> list[Scene]:
    """The scenes recognized in what the model draws beside the references, shared until `end` of the run."""
    tokens = [tokenize(model.tokenizer, prompt_without_ground(scene)).ids for scene in scenes]
    captions = model.text_encoder.encode(tokens)
    condition = model.dit.prepare(captions, LATENT_SIZE)
    plain = model.dit.flow(condition)
    steered = plain
    if strength:
        shared = recorded(model, captions, condition, references)

        def sharing(index: int, image: slice, attend: Attention) -> Attention:
            return shared.sharing(index, strength, attend)

        steered = model.dit.flow(condition, run=SharingBlocks(condition, sharing))
    end_sigma = float(shift_sigma(torch.tensor([1 - end]), TURBO_LIKE.shift))
    *_, last = denoise(
        lambda x, sigma: (steered if begins_in(sigma, (1.0, end_sigma)) else plain)(x, sigma),
        torch.randn(len(scenes), 16, *LATENT_SIZE, generator=torch.Generator().manual_seed(0)),
        shifted_schedule(TURBO_LIKE.steps, TURBO_LIKE.shift),
        solver=SOLVERS[TURBO_LIKE.solver](),
    )
    return [recognize(picture) for picture in to_images(model.vae.decode(last.x))]


def recorded(
    model: Model, captions: Sequence[Tensor], condition: Condition, references: Sequence[Scene]
) -> SharedLayers:
    """Keys and values of each picture's own reference."""
    [offset] = offsets_beside(condition.size, [condition.size])
    beside = model.dit.prepare(captions, LATENT_SIZE, grid=Grid(shift=offset))
    pictures = [render(reference, index) for index, reference in enumerate(references)]
    shared = SharedLayers()
    model.dit.flow(beside, run=SharingBlocks(beside, shared.recording))(model.vae.encode(from_images(pictures)), 0.0)
    return shared


def table(model: Model, scenes: Sequence[Scene], references: Sequence[Scene]) -> Iterator[str]:
    """Rates by setting, in Markdown."""
    yield f"| strength, end ({len(scenes)} pictures) | {' | '.join(KEPT)} | ground of the reference |"
    yield "| --- |" + " --- |" * (len(KEPT) + 1)
    for strength, end in tqdm(SETTINGS, leave=False):
        found = draw(model, scenes, references, strength, end)
        kept = [sum(getattr(a, name) == getattr(b, name) for a, b in zip(found, scenes, strict=True)) for name in KEPT]
        taken = sum(a.ground == b.ground for a, b in zip(found, references, strict=True))
        yield f"| {strength:g}, {end:g} | " + " | ".join(f"{each / len(scenes):.2f}" for each in (*kept, taken)) + " |"


def report(limit: int) -> Iterator[str]:
    """The table for so many pictures of each setting."""
    scenes, references = (list(held_out_scenes()) for _ in range(2))
    random.Random(1).shuffle(scenes)
    random.Random(7).shuffle(references)
    yield from table(load(FOLDER), scenes[:limit], references[:limit])


@torch.inference_mode()
def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "pictures of each setting", limit=2 * BATCH)


if __name__ == "__main__":
    main()
