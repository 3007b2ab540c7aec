"""What every `zimage train` does with its parsed options, whatever is trained."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..adapters import inject
from ..checkpoints import load_dit, load_text_encoder, load_vae, read_lora
from ..counted import counted
from ..data import Example, hash_of, read_picture_folder
from ..model import S3DiT
from ..request import default_size, model_folder
from ..text import load_tokenizer
from ..training import Recipe
from ..training.encoded import EncodedExample, encoders_of
from ..training.flow_training import FlowMatching, TrainingSet, divided, recipe_of, train_examples
from ..training.objectives.noise_levels import NoiseLevels
from ..training.trainables import Trainable
from .files import check_out
from .machine import device_of, dtype_of


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run before its network is loaded."""

    examples: Sequence[Example]
    dataset: TrainingSet
    validated: Sequence[EncodedExample]
    recipe: Recipe
    step_of: FlowMatching
    state: Path
    start: float  # seconds, by `time.perf_counter`

    def told(self, options: argparse.Namespace) -> dict[str, Any]:
        """For the file's metadata, whatever was trained."""
        return {
            "title": options.out.stem,
            "base": model_folder(options.model).name,
            "recipe": {**asdict(self.recipe), **asdict(self.step_of)},
            "data": hash_of(self.examples),
            "example": self.examples[0].captions[0],
        }


def prepare(options: argparse.Namespace, kind: str) -> Prepared:
    """Check and encode; the encoders are gone afterwards. `kind` names what is written, in the plural."""
    check_out(options.out, kind, ".safetensors")
    refuse_turbo(options)
    start = time.perf_counter()
    examples = read_picture_folder(options.data, options.caption)
    regularization = read_picture_folder(options.regularization) if options.regularization else []
    state = options.out.with_suffix(".training")
    dataset, validated = encoded_dataset(options, examples, regularization, state / "encoded")
    return Prepared(
        examples=examples,
        dataset=dataset,
        validated=validated,
        recipe=recipe_of(
            len(dataset.examples), steps=options.steps, lr=options.lr, seed=options.seed, optimizer=options.optimizer
        ),
        step_of=flow_matching_of(options),
        state=state,
        start=start,
    )


def refuse_turbo(options: argparse.Namespace) -> None:
    """Training moves a distilled model away from its few steps; that has to be wanted."""
    if "turbo" in options.model.lower() and not options.adapter and not options.accept_losing_8_steps:
        raise ValueError(
            f"{options.model} is a Turbo model: what is trained on it directly loses its 8 steps. Train on the base "
            "model, give a de-distillation LoRA to train lora with --adapter, or say --accept-losing-8-steps"
        )


def encoded_dataset(
    options: argparse.Namespace, examples: Sequence[Example], regularization: Sequence[Example], folder: Path
) -> tuple[TrainingSet, list[EncodedExample]]:
    """What is trained on, and what is validated with."""
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


def flow_matching_of(options: argparse.Namespace) -> FlowMatching:
    """What a step is made of."""
    return FlowMatching(
        batch=options.batch,
        token_budget=options.token_budget,
        caption_dropout=options.caption_dropout,
        levels=NoiseLevels(distribution=options.levels, shift=options.shift, weighting=options.weighting),
    )


def base_network(options: argparse.Namespace) -> S3DiT:
    """The transformer on its device, with the adapter that belongs in while training."""
    device = device_of(options.device)
    dit = load_dit(model_folder(options.model) / "transformer", dtype_of(options.dtype, device)).to(device)
    if options.adapter:
        inject(dit, [(read_lora(options.adapter), 1.0)], device)
    return dit


def train_with_bar(dit: S3DiT, trainable: Trainable, run: Prepared) -> float | None:
    """Train to the end, with progress in the terminal. Returns the last loss, None if nothing was left to do."""
    loss = None
    with tqdm(total=run.recipe.steps, unit="step", file=sys.stderr) as bar:
        steps = train_examples(dit, trainable, run.dataset, run.step_of, run.recipe, run.state, validated=run.validated)
        for progress in steps:
            bar.update(progress.step + 1 - bar.n)
            bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
            loss = progress.loss
    return loss


def print_result(options: argparse.Namespace, run: Prepared, loss: float | None) -> None:
    """What was written, and what it took."""
    result = {
        "file": str(options.out),
        "pictures": len(run.examples),
        "steps": run.recipe.steps,
        "loss": loss,
        "seconds": round(time.perf_counter() - run.start, 1),
    }
    seen = f"{counted(run.recipe.steps, 'step')} on {counted(len(run.examples), 'picture')}"
    line = f"{options.out}: {seen}, {result['seconds']} s"
    print(json.dumps(result) if options.json else line)
