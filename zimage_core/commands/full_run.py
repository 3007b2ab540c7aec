"""What `zimage train full` does with its parsed options."""

import argparse

from ..training.model_file import write_model
from ..training.trainables import AllWeights
from ..training.trained_metadata import trained_metadata
from .training_run import base_network, prepare, print_result, train_with_bar


def train_from_options(options: argparse.Namespace) -> None:
    """Train, write the transformer and print what it took."""
    run = prepare(options, "models")
    dit = base_network(options)
    loss = train_with_bar(dit, AllWeights(dit), run)
    write_model(dit, options.out, trained_metadata("z-image", **run.told(options)))
    print_result(options, run, loss)
