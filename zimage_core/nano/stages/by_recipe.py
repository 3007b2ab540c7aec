"""Stages that are files: a recipe of `recipes/nano`, through the engine that trains every other model."""

from collections.abc import Generator, Mapping
from pathlib import Path

from torch import Tensor

from ...model import S3DiT
from ...recipes import Stage, read_recipe
from ...training import Progress
from ...training.flow_training import TrainingSet, train_examples
from ...training.mixture import DrawnExamples, Mixture, Part
from ...training.settings import flow_matching_of, recipe_of
from ...training.trained_file import identity_of, trainable_of

RECIPES = Path(__file__).parents[3] / "recipes" / "nano"


def stages_of_recipe(name: str) -> tuple[Stage, ...]:
    """The stages of a recipe's file."""
    return read_recipe(RECIPES / f"{name}.toml", {})


def train_by_recipe(
    dit: S3DiT, stage: Stage, sets: Mapping[str, DrawnExamples], no_caption: Tensor, folder: Path
) -> Generator[Progress]:
    """Train a network in place; afterwards its weights are the averages. `sets` are what its folders' names stand for.

    `no_caption` has the features of the empty caption, (n, f).
    """
    config = stage.config
    parts = tuple(Part(sets[str(each.folder)], each.weight, each.shift) for each in config.sources)
    dataset = TrainingSet(examples=Mixture(parts), no_caption=no_caption)
    yield from train_examples(
        dit,
        trainable_of(dit, config),
        dataset,
        flow_matching_of(config),
        recipe_of(config, len(dataset.mixture)),
        folder / stage.name,
        identity=identity_of(config),
    )
