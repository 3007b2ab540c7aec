"""A LoRA trained in ComfyUI's queue: progress and curve on the node; an interrupted run goes on when queued again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import torch
from comfy import model_management
from torch import Tensor

from .....zimage_core.adapters import Lora
from .....zimage_core.checkpoints import comfyui_state, read_lora
from .....zimage_core.data import hash_of
from .....zimage_core.training.encoded import EncodedExample
from .....zimage_core.training.flow_training import FlowMatching, TrainingSet, divided, recipe_of, train_examples
from .....zimage_core.training.loop.curve import read_curve
from .....zimage_core.training.loop.curve_picture import curve_picture
from .....zimage_core.training.loop.runner import Recipe
from .....zimage_core.training.lora_file import lora_metadata, write_lora
from .....zimage_core.training.trainables.lora import LoraTrainable
from .base import base_file, load_base, refuse_turbo
from .dataset import Dataset
from .encoders import canvas_encoders

STATES = "zimage_training"  # folder in the output folder
PREVIEW_EVERY = 10  # steps
PREVIEW_SIDE = 512  # pixels
TRAINED = "zimage.run"  # key of the file's metadata: what it was trained with


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The node's widgets."""

    name: str
    steps: int  # 0: by the number of pictures
    rank: int
    learning_rate: float
    seed: int
    batch_size: int
    trigger: str
    training_adapter: str
    accept_losing_8_steps: bool


@dataclass(frozen=True)
class Trained:
    """What the node gives out."""

    file: Path
    state: dict[str, Tensor]  # in ComfyUI's names
    losses: list[float]
    report: str


def train(model: Any, clip: Any, vae: Any, dataset: Dataset, kept: Dataset | None, choices: Choices) -> Trained:
    """Train, or go on, or only read what was trained before. `kept` holds pictures of what must not change.

    Raises ValueError with one sentence for what cannot be trained.
    """
    file = base_file(model)
    refuse_turbo(file, choices.training_adapter, is_accepted=choices.accept_losing_8_steps)
    n_pictures, step_of = len(dataset.examples), FlowMatching(batch=choices.batch_size)
    recipe = recipe_of(n_pictures, steps=choices.steps, lr=choices.learning_rate, seed=choices.seed)
    identity = identity_of(file, dataset, kept, choices)
    out = output_file(choices.name)
    folder = Path(folder_paths.get_output_directory()) / STATES / f"{out.stem}-{identity[:8]}"
    if not is_finished(out, identity):
        with torch.inference_mode(False), torch.enable_grad():
            lora = run(model, clip, vae, (dataset, kept), (choices, recipe, step_of), folder)
        metadata = lora_metadata(
            title=out.stem,
            base=file.stem,
            rank=choices.rank,
            alpha=choices.rank,
            recipe={**asdict(recipe), **asdict(step_of)},
            data=identity,
            trigger=choices.trigger,
            example=dataset.examples[0].captions[0],
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        write_lora(lora, out, {**metadata, TRAINED: identity})
    losses = [float(row["loss"] or 0.0) for row in read_curve(folder)]
    return Trained(out, comfyui_state(read_lora(out)), losses, report_of(out, recipe, n_pictures, losses))


def run(
    model: Any,
    clip: Any,
    vae: Any,
    datasets: tuple[Dataset, Dataset | None],
    settings: tuple[Choices, Recipe, FlowMatching],
    folder: Path,
) -> Lora:
    """Encode, load the base alone, and train with progress on the node."""
    choices, recipe, step_of = settings
    data, validated = encode(model, clip, vae, datasets, folder / "encoded")
    dit = load_base(base_file(model), choices.training_adapter)
    generator = torch.Generator().manual_seed(choices.seed)
    lora = LoraTrainable(dit, rank=choices.rank, alpha=float(choices.rank), generator=generator)
    lora.to(dit.x_pad_token.device)
    bar = comfy.utils.ProgressBar(recipe.steps)
    steps = train_examples(dit, lora, data, step_of, recipe, folder, validated=validated)
    try:
        for progress in steps:
            is_shown = progress.step % PREVIEW_EVERY == 0
            preview = ("JPEG", curve_picture(read_curve(folder), PREVIEW_SIDE), PREVIEW_SIDE) if is_shown else None
            bar.update_absolute(progress.step + 1, recipe.steps, preview)
            model_management.throw_exception_if_processing_interrupted()
    finally:
        steps.close()  # which saves what was learned
    return lora.lora(choices.name, torch.bfloat16)


def encode(
    model: Any, clip: Any, vae: Any, datasets: tuple[Dataset, Dataset | None], folder: Path
) -> tuple[TrainingSet, list[EncodedExample]]:
    """All pictures and captions; what was encoded before is read from `folder`."""
    encoders = canvas_encoders(model, clip, vae, folder)
    examples = [(each, dataset.side**2) for dataset in datasets if dataset for each in dataset.examples]
    bar = comfy.utils.ProgressBar(len(examples))
    encoded: list[EncodedExample] = []
    for example, area in examples:
        model_management.throw_exception_if_processing_interrupted()
        encoded.append(encoders.example(example, area))
        bar.update(1)
    return divided(encoded, len(datasets[0].examples), encoders.caption(""))


def identity_of(file: Path, dataset: Dataset, kept: Dataset | None, choices: Choices) -> str:
    """A hash of everything that makes a run another one: model file, pictures, captions and choices."""
    digest = hashlib.blake2b(json.dumps(asdict(choices), sort_keys=True).encode(), digest_size=20)
    digest.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    for each in filter(None, (dataset, kept)):
        digest.update(f"{each.side} {len(each.examples)} {hash_of(each.examples)}".encode())
    return digest.hexdigest()


def is_finished(out: Path, identity: str) -> bool:
    """Whether the file was trained with exactly these choices. Raises ValueError where it was not, but is there."""
    if not out.exists():
        return False
    if read_lora(out).metadata.get(TRAINED) != identity:
        raise ValueError(
            f"{out.name} is in output/loras already and was trained with other pictures or settings. Choose another "
            "name, or take that file away."
        )
    return True


def output_file(name: str) -> Path:
    """Where a name's LoRA goes: output/loras, which ComfyUI lists among the LoRAs."""
    root = (Path(folder_paths.get_output_directory()) / "loras").resolve()
    file = (root / f"{name.strip()}.safetensors").resolve()
    if not name.strip() or "\0" in name or file.parent == root.parent or not file.is_relative_to(root):
        raise ValueError(f"The name {name!r} is no file name inside output/loras. Write one such as my_fox.")
    return file


def report_of(out: Path, recipe: Recipe, n_pictures: int, losses: Sequence[float]) -> str:
    """What was trained, and where it lies."""
    tenth = max(1, len(losses) // 10)
    first, last = (sum(part) / tenth for part in (losses[:tenth], losses[-tenth:])) if losses else (0.0, 0.0)
    return (
        f"{out.name}: {recipe.steps} steps on {n_pictures} pictures\n"
        f"Loss: {first:.3f} in the first tenth, {last:.3f} in the last\n"
        "Saved in output/loras: press R, and Z-Image Load LoRA lists it"
    )
