"""`python -m zimage_core.nano.judging.judge_lora`: a LoRA from twenty pictures of a shape that nano has never seen.

The shape is a cross, and its word, zorp, stands in no caption that nano was trained on. Judged are held-out places,
sizes and colours of it, among them colours in which no training picture shows it; and all that nano could draw before,
with the LoRA and without.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ...adapters import Lora, injected
from ...data import read_picture_folder
from ...sampling import NANO
from ...training.encoded import encoders_of
from ...training.flow_training import FlowMatching, TrainingSet, train_examples
from ...training.loop.runner import Recipe
from ...training.objectives.noise_levels import NoiseLevels
from ...training.trainables.lora import LoraTrainable
from ..data.captions import plain_caption
from ..data.example_sets import SEEN_COLOURS, UNSEEN_COLOURS, WORD, crosses, say, write_scenes, write_zorps
from ..data.render import SIDE, pixels, render
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .checker import (
    TEMPLATE_RADII,
    TOLERANCE,
    alpha,
    centered_mask,
    centroid,
    nearest_colour,
    nearest_ground,
    palette,
    template_bank,
)
from .judge import Model, load, shuffled, table

RECIPE = Recipe(steps=600, lr=3e-3, warmup_steps=25, decay_part=0.5, ema_decay=0.99, seed=0, save_every=50)
# levels toward the picture: what tells a cross from a star on 8 x 8 latent cells is decided there
STEP = FlowMatching(batch=6, token_budget=4096, saves_memory=False, levels=NoiseLevels(shift=0.5))
RANK = 16


def trained(model: Model, folder: Path, *, keeps: bool) -> Lora:
    """A LoRA from the pictures; with `keeps` beside pictures of what nano knows."""
    encoders = encoders_of(model.vae, model.text_encoder, model.tokenizer, folder / "encoded")
    new, known = (
        [encoders.example(each, SIDE * SIDE) for each in read_picture_folder(folder / name)]
        for name in ("new", "known")
    )
    dataset = TrainingSet(examples=new, regularization=known if keeps else (), no_caption=encoders.caption(""))
    lora = LoraTrainable(model.dit, rank=RANK, alpha=RANK, generator=torch.Generator().manual_seed(0))
    state = folder / ("with" if keeps else "without")
    for _ in tqdm(train_examples(model.dit, lora, dataset, STEP, RECIPE, state), total=RECIPE.steps, desc=state.name):
        pass
    return lora.lora(WORD)


def is_cross(picture: Image.Image, colour: str) -> bool:
    """Whether a picture's object has this colour and is nearer to a cross than to any shape that nano knows."""
    image = pixels(picture)
    _, behind = nearest_ground(image)
    mask = np.abs(image - behind).max(-1) > TOLERANCE
    found = nearest_colour(image, mask)
    coverage = alpha(image, behind, palette(found))
    y, x = centroid(coverage * mask)
    centered = np.roll(coverage, (round((0.5 - y) * SIDE), round((0.5 - x) * SIDE)), axis=(0, 1))
    known = np.abs(template_bank()[1] - centered).sum((1, 2)).min()
    own = min(np.abs(centered_mask("cross", radius) - centered).sum() for radius in TEMPLATE_RADII)
    return found == colour and bool(own < known)


def cross_row(name: str, model: Model, scenes: Sequence[Scene]) -> str:
    """How many of the new shape's scenes come out, drawn with the model's guidance."""
    pictures = model.draw(NANO, say, scenes, 0)
    hits = [is_cross(picture, scene.colour) for picture, scene in zip(pictures, scenes, strict=True)]
    return f"| {name} | {sum(hits) / len(hits):.3f} |"


@torch.inference_mode()
def report(loras: dict[str, Lora], model: Model, limit: int) -> Iterator[str]:
    """The tables, in Markdown."""
    seen, unseen = (crosses(limit, colours, seed=7) for colours in (SEEN_COLOURS, UNSEEN_COLOURS))
    yield f"| {limit} held-out crosses each | shape and colour |"
    yield "| --- | --- |"
    real = [is_cross(render(scene, index), scene.colour) for index, scene in enumerate(seen)]
    others = [is_cross(render(scene), scene.colour) for scene in shuffled(held_out_scenes())[:limit]]
    yield f"| real renders (ceiling) | {sum(real) / limit:.3f} |"
    yield f"| renders of the other shapes (floor) | {sum(others) / limit:.3f} |"
    yield cross_row("without a LoRA", model, seen)
    for name, lora in loras.items():
        with injected(model.dit, (lora, 1.0)):
            yield cross_row(f"{name}, colours of its pictures", model, seen)
            yield cross_row(f"{name}, other colours", model, unseen)
    yield ""
    scenes, draw = shuffled(held_out_scenes())[:limit], partial(model.draw, NANO, partial(plain_caption, language="en"))
    lines = list(table("scenes of what nano knows", scenes, iter([("without a LoRA", draw)])))
    yield from lines
    for name, lora in loras.items():
        with injected(model.dit, (lora, 1.0)):
            yield list(table("", scenes, iter([(name, draw)])))[-1]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keeps the training's state, so that it can be resumed")
    parser.add_argument("--limit", type=int, default=96, help="prompts of each kind")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder, model = arguments.folder or Path(tempfile.mkdtemp()), load(FOLDER)
    try:
        write_zorps(folder / "new")
        write_scenes(folder / "known")
        names = {"beside known pictures": True, "alone": False}
        loras = {name: trained(model, folder, keeps=keeps) for name, keeps in names.items()}
        for line in report(loras, model, arguments.limit):
            tqdm.write(line)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
