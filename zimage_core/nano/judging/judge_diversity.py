"""How much noise on the prompt's embeddings makes seeds differ, and what it costs: `make judge`'s checker on nano.

For prompts that leave things open, each drawn with four seeds: the mean distance of two pictures (root mean square of
the pixels' differences, in [0, 1]) and how often two differ in what the prompt leaves open. For prompts that say all:
how often every attribute is the asked one. Turbo-like settings: 8 steps without guidance.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ...conditioning.embedding_noise import EmbeddingNoise
from ...sampling import SOLVERS, denoise, shifted_schedule
from ...sampling.schedule import shift_sigma
from ...text import tokenize
from ...vae import to_images
from ..data.captions import plain_caption
from ..data.render import pixels
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .checker import Score, check, recognize
from .judge import TURBO_LIKE, Model, load, shuffled

SEEDS = 4
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ENDS = (0.25, 0.5, 1.0)
EVERYTHING = Score(shape=True, colour=True, size=True, position=True, ground=True)
OPEN = ("size", "position", "ground")  # what "a red heart" leaves open


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Of one setting."""

    distance: float  # of two seeds' pictures of a short prompt
    whole_distance: float  # and of one that names all
    differing: float  # how often two differ in an attribute that is left open
    kept: float  # how often shape and colour, which the short prompt names, are right
    accuracy: float  # how often all five are, where the prompt names all


def draw(model: Model, prompts: Sequence[str], seeds: Sequence[int], noise: EmbeddingNoise) -> list[Image.Image]:
    """A picture of each prompt, by its seed, which also draws its noise."""
    plain = model.text_encoder.encode([tokenize(model.tokenizer, prompt).ids for prompt in prompts])
    noised = [
        EmbeddingNoise(strength=noise.strength, share=noise.share, seed=seed).of(each[None])[0]
        for each, seed in zip(plain, seeds, strict=True)
    ]
    last_noised = float(shift_sigma(torch.tensor([1 - noise.end]), TURBO_LIKE.shift)) + 1e-6

    def velocity(x: Tensor, sigma: float) -> Tensor:
        captions = noised if noise.is_on and (sigma > last_noised or noise.end == 1) else plain
        return torch.stack(list(model.dit(x, torch.full((len(x),), sigma), captions)))

    starts = [torch.randn(16, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    sigmas = shifted_schedule(TURBO_LIKE.steps, TURBO_LIKE.shift)
    *_, last = denoise(velocity, torch.stack(starts), sigmas, solver=SOLVERS[TURBO_LIKE.solver]())
    return to_images(model.vae.decode(last.x))


def measure(model: Model, scenes: Sequence[Scene], noise: EmbeddingNoise) -> Rates:
    """One setting on these scenes."""
    asked = [scene for scene in scenes for _ in range(SEEDS)]
    seeds = list(range(len(asked)))
    short = draw(model, [f"a {scene.colour} {scene.shape}" for scene in asked], seeds, noise)
    whole = draw(model, [plain_caption(scene, "en") for scene in asked], seeds, noise)
    pairs = list(pairs_of_seeds(short))
    differing = [
        float(getattr(recognize(one), name) != getattr(recognize(other), name)) for one, other in pairs for name in OPEN
    ]
    scores = [check(picture, scene) for picture, scene in zip(short, asked, strict=True)]
    kept = [float(score.shape and score.colour) for score in scores]
    right = [float(check(picture, scene) == EVERYTHING) for picture, scene in zip(whole, asked, strict=True)]
    return Rates(
        distance=mean_distance(pairs),
        whole_distance=mean_distance(list(pairs_of_seeds(whole))),
        differing=sum(differing) / len(differing),
        kept=sum(kept) / len(kept),
        accuracy=sum(right) / len(right),
    )


def pairs_of_seeds(pictures: Sequence[Image.Image], seeds: int = SEEDS) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Every two pictures of one prompt, where each prompt has `seeds` in a row."""
    for first in range(0, len(pictures), seeds):
        yield from combinations(pictures[first : first + seeds], 2)


def mean_distance(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> float:
    """Root mean square of the pixels' differences in [0, 1], on average."""
    distances = [float(np.sqrt(np.square(pixels(one) - pixels(other)).mean())) for one, other in pairs]
    return sum(distances) / len(distances)


def report(limit: int, strengths: Sequence[float], ends: Sequence[float]) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    model, scenes = load(FOLDER), shuffled(held_out_scenes())[:limit]
    yield "| strength, until | short prompt: distance | open things differ | named kept | whole: distance | all right |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for end in ends:
        for strength in strengths:
            if strength or end == ends[0]:
                rates = measure(model, scenes, EmbeddingNoise(strength=strength, end=end))
                cells = (rates.distance, rates.differing, rates.kept, rates.whole_distance, rates.accuracy)
                yield f"| {strength:g}, {end:.1%} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"


@torch.inference_mode()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m zimage_core.nano.judging.judge_diversity", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--limit", type=int, default=24, help="how many scenes")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--ends", type=float, nargs="+", default=ENDS, help="parts of the steps")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in report(arguments.limit, arguments.strengths, arguments.ends):
        tqdm.write(line)


if __name__ == "__main__":
    main()
