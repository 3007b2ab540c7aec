"""`python -m zimage_core.nano.judging.judge_lora`: LoRAs from twenty pictures of what nano has never drawn.

A shape, a colour and a style (`data/novelties.py`), each learned by the shipped recipe under a word that stands in no
caption that nano was trained on. Judged are held-out prompts, half of them with what no training picture shows; and all
that nano could draw before, with the LoRA and without.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from ...adapters import Lora, injected
from ...data import read_picture_folder
from ...recipes import LoraConfig, read_recipe
from ...sampling import NANO
from ...training.encoded import encoders_of
from ...training.flow_training import TrainingSet, train_examples
from ...training.settings import flow_matching_of, recipe_of
from ...training.trainables import LoraTrainable
from ...training.trained_file import trainable_of
from ...training.validation import held_out
from ..data.captions import plain_caption
from ..data.example_sets import WORD, write_scenes
from ..data.novelties import NOVELTIES, Novelty
from ..data.render import SIDE
from ..data.scenes import Scene, held_out_scenes
from ..files import FOLDER
from .judge import ATTRIBUTES, Model, load, measure, shuffled
from .novelty_checker import is_shown
from .rates import rate

RECIPE = Path("recipes/lora_from_twenty_pictures.toml")


def trained(model: Model, novelty: Novelty, config: LoraConfig, folder: Path) -> Lora:
    """A LoRA as the recipe makes it, but of this novelty: beside known pictures, a tenth kept for validation."""
    novelty.write(folder / "new")
    write_scenes(folder / "known")
    encoders = encoders_of(model.vae, model.text_encoder, model.tokenizer, folder / "encoded")
    new, known = (
        [encoders.example(each, SIDE * SIDE) for each in read_picture_folder(folder / name)]
        for name in ("new", "known")
    )
    learned, _ = held_out(new)
    dataset = TrainingSet(examples=learned, regularization=known, no_caption=encoders.caption(""))
    lora, recipe = trainable_of(model.dit, config), recipe_of(config, len(learned))
    assert isinstance(lora, LoraTrainable)
    state = folder / str(config.seed)
    for _ in tqdm(
        train_examples(model.dit, lora, dataset, flow_matching_of(config), recipe, state), total=recipe.steps
    ):
        pass
    return lora.lora(WORD)


class Result(NamedTuple):
    """What a LoRA, or nothing, draws of the novelty and of what nano knew before."""

    seen: Sequence[bool]
    unseen: Sequence[bool]
    known: Sequence[Mapping[str, float]]  # rates of each attribute, one for each LoRA

    def row(self, name: str) -> str:
        """The line in Markdown."""
        means = [sum(each[attribute] for each in self.known) / len(self.known) for attribute in ATTRIBUTES]
        cells = [*(rate(sum(each), len(each)) for each in (self.seen, self.unseen)), *(f"{mean:.3f}" for mean in means)]
        return f"| {name} | {' | '.join(cells)} |"


def header(limit: int) -> str:
    """The two lines above the rows."""
    known = " | ".join(f"known: {attribute}" for attribute in ATTRIBUTES)
    return f"| {limit} held-out prompts each | new, as seen | new, in the unseen | {known} |\n{'| --- ' * 8}|"


@torch.inference_mode()
def report(novelty: Novelty, loras: Mapping[str, Lora], model: Model, limit: int) -> Iterator[str]:
    """Rows of a ceiling, of nano alone, of each LoRA, and of several together."""
    seen = novelty.held_out(limit, seen=True)
    real = [is_shown(novelty, novelty.draw(scene, index), scene) for index, scene in enumerate(seen)]
    yield f"| {novelty.name}: real pictures | {rate(sum(real), len(real))} |" + " |" * 6
    yield judged(novelty, model, limit).row(f"{novelty.name}: without a LoRA")
    results: list[Result] = []
    for name, lora in loras.items():
        with injected(model.dit, (lora, 1.0)):
            results.append(judged(novelty, model, limit))
        yield results[-1].row(f"{novelty.name}: {name}")
    if len(results) > 1:
        together = Result(*([each for part in parts for each in part] for parts in zip(*results, strict=True)))
        yield together.row(f"{novelty.name}: together")


def judged(novelty: Novelty, model: Model, limit: int) -> Result:
    """`limit` prompts of each kind, drawn with the model's guidance."""
    seen, unseen = (drawn(novelty, model, novelty.held_out(limit, seen=each)) for each in (True, False))
    known = partial(model.draw, NANO, partial(plain_caption, language="en"))
    return Result(seen, unseen, [measure("known", known, shuffled(held_out_scenes())[:limit])])


def drawn(novelty: Novelty, model: Model, scenes: Sequence[Scene]) -> Sequence[bool]:
    """Which of a novelty's scenes come out."""
    pictures = model.draw(NANO, novelty.say, scenes, 0)
    return [is_shown(novelty, picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--novelties", nargs="+", choices=NOVELTIES, default=list(NOVELTIES), help="what is learned")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="of the training; its pictures are replaced")
    parser.add_argument("--folder", type=Path, help="keeps the training's state, so that it can be resumed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="a LoRA of each")
    parser.add_argument("--limit", type=int, default=96, help="prompts of each kind")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    [stage] = read_recipe(arguments.recipe, {})
    config, model = stage.config, load(FOLDER)
    assert isinstance(config, LoraConfig)
    folder = arguments.folder or Path(tempfile.mkdtemp())
    try:
        tqdm.write(header(arguments.limit))
        for name in arguments.novelties:
            of_seed = {f"seed {seed}": replace(config, seed=seed) for seed in arguments.seeds}
            loras = {seed: trained(model, NOVELTIES[name], each, folder / name) for seed, each in of_seed.items()}
            for line in report(NOVELTIES[name], loras, model, arguments.limit):
                tqdm.write(line)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
