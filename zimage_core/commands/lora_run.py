"""What `zimage train lora` does with its parsed options."""

import argparse

import torch

from ..training.lora_file import lora_metadata, write_lora
from ..training.trainables import LoraTrainable
from .training_run import base_network, prepare, print_result, train_with_bar


def train_from_options(options: argparse.Namespace) -> None:
    """Train, write the LoRA and print what it took."""
    run = prepare(options, "LoRAs")
    dit = base_network(options)
    rank, alpha = options.rank, options.alpha or float(options.rank)
    lora = LoraTrainable(dit, rank=rank, alpha=alpha, generator=torch.Generator().manual_seed(options.seed))
    lora.to(dit.x_pad_token.device)
    loss = train_with_bar(dit, lora, run)
    metadata = lora_metadata(rank=rank, alpha=alpha, trigger=options.trigger, **run.told(options))
    write_lora(lora.lora(options.out.name, torch.bfloat16), options.out, metadata, options.naming)
    print_result(options, run, loss)
