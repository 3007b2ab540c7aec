"""`python -m zimage_core.nano.judging.judge_weights`: how often nano draws a colour by its weight in the prompt.

The colour stands alone, or before another colour that contradicts it. Counted is in what share of the pictures it is
drawn, and how much of the prompt's other words is right.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...sampling import SOLVERS, denoise, shifted_schedule
from ...text import tokenize
from ...text.word_weights import parse, place_of, reweighted, without
from ...vae import to_images
from ..data.scenes import COLOURS, SHAPES, Scene
from ..files import FOLDER
from .checker import recognize
from .judge import BATCH, TURBO_LIKE, Model, load, print_report

PROMPTS = {  # with the weights at which each is drawn
    "a large ({colour}:{weight}) {shape} in the middle on a white background": (-2, -1, -0.5, 0, 0.25, 0.5, 1, 2),
    "a large ({colour}:{weight}) pink {shape} in the middle on a white background": (-1, 0, 0.5, 1, 1.5, 2, 3),
}
RIVAL = "pink"
KEPT = {"size": "large", "row": "middle", "column": "middle", "ground": "white"}  # beside the shape

Pair = tuple[str, str, int]  # colour, shape, seed


def embed(model: Model, prompt: str) -> Tensor:
    """Embeddings (n, f) of a prompt with weighted words, as Z-Image Weighted Encode makes them."""
    text, spans = parse(prompt)
    every = [text, *(without(text, span) for span in spans)]
    ids = [tokenize(model.tokenizer, each).ids for each in every]
    full, *shorter = (model.text_encoder.encode([each])[0] for each in ids)
    parts = [
        (each, place_of(ids[0], fewer), span.weight) for each, fewer, span in zip(shorter, ids[1:], spans, strict=True)
    ]
    return reweighted(full, parts)


def draw(model: Model, prompts: Sequence[str], seeds: Sequence[int]) -> list[Scene]:
    """The scenes recognized in the pictures of these prompts."""
    captions = [embed(model, prompt) for prompt in prompts]
    noise = [torch.randn(16, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    *_, last = denoise(
        lambda x, sigma: torch.stack(list(model.dit(x, torch.full((len(x),), sigma), captions))),
        torch.stack(noise),
        shifted_schedule(TURBO_LIKE.steps, TURBO_LIKE.shift),
        solver=SOLVERS[TURBO_LIKE.solver](),
    )
    return [recognize(picture) for picture in to_images(model.vae.decode(last.x))]


def pairs(n: int) -> list[Pair]:
    """Colours and shapes in turn; none is the rival."""
    colours = [colour for colour in COLOURS if colour != RIVAL]
    return [(colours[i % len(colours)], SHAPES[i % len(SHAPES)], i) for i in range(n)]


def report(limit: int) -> Iterator[str]:
    """The table for so many pictures of each weight, in Markdown."""
    model, asked = load(FOLDER), pairs(limit)
    for template, weights in PROMPTS.items():
        yield f"| {template} ({limit} pictures) | colour | the other words |"
        yield "| --- | --- | --- |"
        for weight in weights:
            found: list[Scene] = []
            for start in range(0, limit, BATCH):
                batch = asked[start : start + BATCH]
                prompts = [template.format(colour=c, weight=weight, shape=s) for c, s, _ in batch]
                found += draw(model, prompts, [seed for *_, seed in batch])
            drawn = sum(scene.colour == colour for scene, (colour, _, _) in zip(found, asked, strict=True))
            right = sum(others_right(scene, shape) for scene, (_, shape, _) in zip(found, asked, strict=True))
            yield f"| {weight:g} | {drawn / limit:.3f} | {right / limit:.3f} |"
        yield ""


def others_right(scene: Scene, shape: str) -> float:
    """The share of everything but the colour that is as the prompt says."""
    values = [scene.shape == shape, *(getattr(scene, name) == value for name, value in KEPT.items())]
    return sum(values) / len(values)


@torch.inference_mode()
def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "pictures of each weight", limit=36, threads=1)


if __name__ == "__main__":
    main()
