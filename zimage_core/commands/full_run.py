"""What `zimage train full` does with its parsed options."""

import argparse

from ..data import hash_of
from ..request import model_folder
from ..training.model_file import model_metadata, write_model
from ..training.trainables import AllWeights
from .training_run import base_network, prepare, print_result, train_with_bar


def train_from_options(options: argparse.Namespace) -> None:
    """Train, write the transformer and print what it took."""
    run = prepare(options, "models")
    dit = base_network(options)
    loss = train_with_bar(dit, AllWeights(dit), run)
    metadata = model_metadata(
        title=options.out.stem,
        base=model_folder(options.model).name,
        recipe=run.settings,
        data=hash_of(run.examples),
        example=run.examples[0].captions[0],
    )
    write_model(dit, options.out, metadata)
    print_result(options, run, loss)
