"""What `zimage train lora` does with its parsed options."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from ..adapters import inject
from ..checkpoints import load_dit, load_text_encoder, load_vae, read_lora
from ..data import Example, hash_of, read_picture_folder
from ..model import S3DiT
from ..request import default_size, model_folder
from ..text import load_tokenizer
from ..training.encoded import EncodedExample, encoders_of
from ..training.lora_file import lora_metadata, write_lora
from ..training.lora_training import FlowMatching, TrainingSet, divided, lora_recipe, train_lora
from ..training.objectives.noise_levels import NoiseLevels
from ..training.trainables.lora import LoraTrainable
from .files import check_out
from .machine import device_of, dtype_of


def train_from_options(options: argparse.Namespace) -> None:
    """Train, write the LoRA and print what it took."""
    check_out(options.out, "LoRAs", ".safetensors")
    refuse_turbo(options)
    start = time.perf_counter()
    examples = read_picture_folder(options.data, options.caption)
    regularization = read_picture_folder(options.regularization) if options.regularization else []
    state = options.out.with_suffix(".training")
    dataset, validated = encoded_dataset(options, examples, regularization, state / "encoded")
    dit = base_network(options)
    rank, alpha = options.rank, options.alpha or float(options.rank)
    lora = LoraTrainable(dit, rank=rank, alpha=alpha, generator=torch.Generator().manual_seed(options.seed))
    lora.to(dit.x_pad_token.device)
    recipe = lora_recipe(
        len(dataset.examples), steps=options.steps, lr=options.lr, seed=options.seed, optimizer=options.optimizer
    )
    step_of = flow_matching_of(options)
    last = None
    with tqdm(total=recipe.steps, unit="step", file=sys.stderr) as bar:
        for progress in train_lora(dit, lora, dataset, step_of, recipe, state, validated=validated):
            bar.update(progress.step + 1 - bar.n)
            bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
            last = progress
    metadata = lora_metadata(
        title=options.out.stem,
        base=model_folder(options.model).name,
        rank=rank,
        alpha=alpha,
        recipe={**asdict(recipe), **asdict(step_of)},
        data=hash_of(examples),
        trigger=options.trigger,
        example=examples[0].captions[0],
    )
    write_lora(lora.lora(options.out.name, torch.bfloat16), options.out, metadata, options.naming)
    result = {
        "file": str(options.out),
        "pictures": len(examples),
        "steps": recipe.steps,
        "loss": last and last.loss,
        "seconds": round(time.perf_counter() - start, 1),
    }
    line = "{file}: {steps} steps on {pictures} pictures, {seconds} s".format(**result)
    print(json.dumps(result) if options.json else line)


def refuse_turbo(options: argparse.Namespace) -> None:
    """Training moves a distilled model away from its few steps; that has to be wanted."""
    if "turbo" in options.model.lower() and not options.adapter and not options.accept_losing_8_steps:
        raise ValueError(
            f"{options.model} is a Turbo model: what is trained on it directly loses its 8 steps. Train on the base "
            "model, give a de-distillation LoRA with --adapter, or say --accept-losing-8-steps"
        )


def encoded_dataset(
    options: argparse.Namespace, examples: Sequence[Example], regularization: Sequence[Example], folder: Path
) -> tuple[TrainingSet, list[EncodedExample]]:
    """What is trained on, and what is validated with; the encoders are gone afterwards."""
    model, device = model_folder(options.model), device_of(options.device)
    dtype = dtype_of(options.dtype, device)
    encoders = encoders_of(
        load_vae(model / "vae", dtype).to(device),
        load_text_encoder(model / "text_encoder", dtype).to(device),
        load_tokenizer(model / "tokenizer"),
        folder,
    )
    side = options.side or default_size(options.model, ())[0]
    with tqdm([*examples, *regularization], unit="picture", file=sys.stderr, leave=False) as bar:
        encoded = [encoders.example(example, side * side) for example in bar]
    return divided(encoded, len(examples), encoders.caption(""))


def base_network(options: argparse.Namespace) -> S3DiT:
    """The frozen transformer on its device, with the adapter that belongs in while training."""
    device = device_of(options.device)
    dit = load_dit(model_folder(options.model) / "transformer", dtype_of(options.dtype, device)).to(device)
    if options.adapter:
        inject(dit, [(read_lora(options.adapter), 1.0)], device)
    return dit


def flow_matching_of(options: argparse.Namespace) -> FlowMatching:
    """What a step is made of."""
    return FlowMatching(
        batch=options.batch,
        token_budget=options.token_budget,
        caption_dropout=options.caption_dropout,
        levels=NoiseLevels(distribution=options.levels, shift=options.shift, weighting=options.weighting),
    )
