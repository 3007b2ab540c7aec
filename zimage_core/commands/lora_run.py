"""What `zimage train lora` does with its parsed options."""

import argparse
import hashlib
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
from ..data import Example, read_picture_folder
from ..model import S3DiT
from ..request import default_size, model_folder
from ..text import load_tokenizer
from ..training.encoded import EncodedExample, encoders_of
from ..training.loop.runner import Recipe
from ..training.lora_file import lora_metadata, write_lora
from ..training.lora_training import FlowMatching, TrainingSet, train_lora
from ..training.objectives.noise_levels import NoiseLevels
from ..training.trainables.lora import LoraTrainable
from ..training.validation import held_out
from .files import check_out
from .machine import device_of, dtype_of

STEPS_PER_PICTURE, FEWEST, MOST = 100, 500, 3000


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
    recipe = recipe_of(options, len(dataset.examples))
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
    trained, validated = held_out(encoded[: len(examples)])
    dataset = TrainingSet(
        examples=trained,
        regularization=encoded[len(examples) :],
        no_caption=encoders.caption(""),
    )
    return dataset, validated


def base_network(options: argparse.Namespace) -> S3DiT:
    """The frozen transformer on its device, with the adapter that belongs in while training."""
    device = device_of(options.device)
    dit = load_dit(model_folder(options.model) / "transformer", dtype_of(options.dtype, device)).to(device)
    if options.adapter:
        inject(dit, [(read_lora(options.adapter), 1.0)], device)
    return dit


def recipe_of(options: argparse.Namespace, n_pictures: int) -> Recipe:
    """Steps, learning rate and what else the loop is told."""
    steps = options.steps or min(max(STEPS_PER_PICTURE * n_pictures, FEWEST), MOST)
    return Recipe(
        steps=steps,
        lr=options.lr,
        optimizer=options.optimizer,
        warmup_steps=max(1, steps // 20),
        betas=(0.9, 0.99),
        ema_decay=0.99,
        seed=options.seed,
        save_every=max(1, steps // 20),
    )


def flow_matching_of(options: argparse.Namespace) -> FlowMatching:
    """What a step is made of."""
    return FlowMatching(
        batch=options.batch,
        token_budget=options.token_budget,
        caption_dropout=options.caption_dropout,
        levels=NoiseLevels(distribution=options.levels, shift=options.shift, weighting=options.weighting),
    )


def hash_of(examples: Sequence[Example]) -> str:
    """A hash of all pictures and captions."""
    digest = hashlib.blake2b(digest_size=20)
    for example in examples:
        digest.update(example.picture.read_bytes() + "\0".join(example.captions).encode())
    return digest.hexdigest()
