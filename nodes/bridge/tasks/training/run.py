"""A training run in ComfyUI's queue: progress and pictures on the node; interrupted, it goes on when queued again."""

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import torch
from comfy import model_management
from safetensors import safe_open

from .....zimage_core.checkpoints import DIT, open_network
from .....zimage_core.recipes import FullConfig, Stage, TrainingConfig
from .....zimage_core.text import shortened
from .....zimage_core.training.encoded import Encoders
from .....zimage_core.training.encoded_files import EncodedSet, ExampleFiles
from .....zimage_core.training.flow_training import TrainingSet, divided, train_examples
from .....zimage_core.training.loop.curve import read_curve
from .....zimage_core.training.loop.runner import Progress, Recipe
from .....zimage_core.training.placed import load_base, placed, refuse_compiling, refuse_streaming
from .....zimage_core.training.settings import flow_matching_of, recipe_of
from .....zimage_core.training.trainables import Trainable
from .....zimage_core.training.trained_file import adapter_of, told_of, trainable_of, write_trained
from .....zimage_core.training.trained_file import identity_of as trainable_identity
from .....zimage_core.training.turbo import refuse_turbo
from ...network.attach import DIFFUSION_MODEL
from ...network.dit import has_vision_branch
from .base import as_loaded, base_file, free_device
from .encoders import canvas_encoders
from .learned import Learned, learned_of
from .memory import within_memory
from .shown import shown, watch_of
from .sockets import Sockets

STATES = "zimage_training"  # folder in the output folder
SHOWN_EVERY = 10  # steps
SHOWN_SIDE = 512  # pixels
LONGEST_NAME = 200  # bytes: a file system takes 255, and states and unfinished files add to a name
# settings by which nothing else is learned: these were never named, the others are as if they were not given
NEVER_NAMED = ("keep_activations", "stream", "compile")
AS_NOT_GIVEN: dict[str, Any] = {
    name: getattr(TrainingConfig, name) for name in ("token_budget", "keep", "previews", "preview_every")
}
TRAINED = "zimage.run"  # key of the file's metadata: what it was trained with


@dataclass(frozen=True)
class Trained:
    """What was written, and how it went."""

    file: Path
    losses: list[float]
    report: str


def train(sockets: Sockets, stages: Sequence[Stage]) -> Trained:
    """Train, or go on, or only tell what was trained before.

    Where the pictures are and what the model is, the sockets say, and not the stages. Raises ValueError with one
    sentence for what cannot be trained.
    """
    file = base_file(sockets.model)
    stages = [as_loaded(sockets.model, each) for each in stages]
    config = stages[0].config
    refuse_turbo(file, config)
    refuse_streaming(config, open_network(file, DIT).config.n_layers)
    refuse_compiling(config, model_management.get_torch_device())
    identity, out = identity_of(file, sockets, stages), config.out
    folder = state_folder(out, identity)
    recipes = [recipe_for(each.config, len(sockets.dataset.examples)) for each in stages]
    if not is_finished(out, identity):
        with torch.inference_mode(False), torch.enable_grad():
            trainable = run(sockets, file, list(zip(stages, recipes, strict=True)), folder)
        example = sockets.dataset.examples[0].captions[0]
        told = told_of(stages[-1].config, recipes[-1], base=file.stem, data=identity, example=example)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_trained(trainable, config, out, told, {TRAINED: identity})
    losses = [float(row["loss"] or 0.0) for each in stages for row in read_curve(folder / each.name)]
    return Trained(out, losses, report_of(out, losses, sockets))


def state_folder(out: Path, identity: str) -> Path:
    """Where the state of a run lies."""
    return Path(folder_paths.get_output_directory()) / STATES / f"{out.stem}-{identity[:8]}"


def recipe_for(config: TrainingConfig, n_pictures: int) -> Recipe:
    """The runner's settings; all weights are trained with bfloat16 products where ComfyUI's device has them."""
    is_cpu = model_management.is_device_cpu(model_management.get_torch_device())
    return recipe_of(config, n_pictures, autocast=isinstance(config, FullConfig) and not is_cpu)


def run(sockets: Sockets, file: Path, stages: Sequence[tuple[Stage, Recipe]], folder: Path) -> Trainable:
    """Encode, load the base alone, and train one stage after another with progress on the node."""
    vision = next((each.vision for each in sockets.datasets if each.vision), None)
    encoders = canvas_encoders(sockets.model, sockets.clip, sockets.vae, folder / "encoded", vision)
    data = [encode(encoders, learned_of(sockets, stage.config), stage.config) for stage, _ in stages]
    watches = [watch_of(encoders, sockets, file, stage.config, recipe.steps) for stage, recipe in stages]
    device, dtype = free_device()
    learned_from = [(stage.config, learned) for (stage, _), (learned, _) in zip(stages, data, strict=True)]
    config = within_memory(file, learned_from, device, dtype)
    dit = load_base(file, config, dtype)
    trainable = trainable_of(dit, config)
    with placed(dit, config, device) as blocks:
        train_stage = partial(train_examples, dit, trainable.to(device), adapter=adapter_of(config, dit), run=blocks)
        n_steps = sum(recipe.steps for _, recipe in stages)
        bar, before = comfy.utils.ProgressBar(n_steps), 0
        for (stage, recipe), (learned, validated), watch in zip(stages, data, watches, strict=True):
            steps = train_stage(
                learned,
                flow_matching_of(stage.config),
                recipe,
                folder / stage.name,
                validated=validated,
                identity=trainable_identity(stage.config),
                watch=watch,
            )
            follow(steps, bar, before, n_steps, folder / stage.name)
            before += recipe.steps
    return trainable


def follow(steps: Generator[Progress], bar: Any, before: int, n_steps: int, place: Path) -> None:
    """Make a stage's steps, told on the node; stopped there, what was learned is saved."""
    try:
        for progress in steps:
            is_shown = progress.step % SHOWN_EVERY == 0
            preview = ("JPEG", shown(place, SHOWN_SIDE), 2 * SHOWN_SIDE) if is_shown else None
            bar.update_absolute(before + progress.step + 1, n_steps, preview)
            model_management.throw_exception_if_processing_interrupted()
    finally:
        steps.close()  # which saves what was learned


def encode(encoders: Encoders, learned: Learned, config: TrainingConfig) -> tuple[TrainingSet, EncodedSet]:
    """All pictures, at the datasets' sizes where the config has no side, and captions.

    What was encoded before is read from the encoders' folder.
    """
    parts = [*((each, each.examples) for each in learned.sources), *learned.regularization]
    examples = [(each, (config.side or dataset.side) ** 2) for dataset, part in parts for each in part]
    bar = comfy.utils.ProgressBar(len(examples))
    encoded: list[ExampleFiles] = []
    for example, area in examples:
        model_management.throw_exception_if_processing_interrupted()
        encoded.append(encoders.files(example, area))
        bar.update(1)
    sizes = [len(each.examples) for each in learned.sources]
    return divided(EncodedSet(encoders.folder, encoded), sizes, config.sources, encoders.caption(""))


def identity_of(file: Path, sockets: Sockets, stages: Sequence[Stage]) -> str:
    """A hash of everything that makes a run another one: model file, pictures, captions and choices."""
    choices = [{name: str(value) for name, value in learned_by(each.config)} for each in stages]
    digest = hashlib.blake2b(json.dumps(choices, sort_keys=True).encode(), digest_size=20)
    digest.update(file_identity(file))
    for each in stages:
        digest.update(learned_of(sockets, each.config).identity())
    return digest.hexdigest()


def file_identity(file: Path) -> bytes:
    """Changes with a model file."""
    return f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}".encode()


def learned_by(config: TrainingConfig) -> list[tuple[str, object]]:
    """The settings that change what is learned; those of a base that is not quantized were never named."""
    settings = {name: value for name, value in asdict(config).items() if name not in NEVER_NAMED} | AS_NOT_GIVEN
    return [each for each in settings.items() if each != ("quantize", None)]


def is_finished(out: Path, identity: str) -> bool:
    """Whether the file was trained with exactly these choices. Raises ValueError where it was not, but is there."""
    if not out.exists():
        return False
    with safe_open(out, framework="pt") as opened:
        found = (opened.metadata() or {}).get(TRAINED)
    if found != identity:
        raise ValueError(
            f"{out.name} is in output/{folder_of(out)} already and was trained with other pictures or settings. "
            "Choose another name, or take that file away."
        )
    return True


def output_file(name: str, kind: str) -> Path:
    """Where what a name stands for goes: output/`kind`, whose files ComfyUI lists among its models."""
    root = (Path(folder_paths.get_output_directory()) / kind).resolve()
    file = (root / f"{name.strip()}.safetensors").resolve()
    is_long = any(len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in file.parts)
    is_odd = not name.strip() or "\0" in name or is_long
    if is_odd or file.parent == root.parent or not file.is_relative_to(root):
        raise ValueError(
            f"The name {shortened(name)!r} is no file name inside output/{kind}. Write one such as my_fox."
        )
    return file


def folder_of(out: Path) -> str:
    """The folder of such a file below ComfyUI's output folder, such as loras/styles; of a linked one its last part."""
    root = Path(folder_paths.get_output_directory()).resolve()
    return out.parent.relative_to(root).as_posix() if out.is_relative_to(root) else out.parent.name


def report_of(out: Path, losses: Sequence[float], sockets: Sockets) -> str:
    """What was trained, where it lies, and what is to be known of it."""
    return "\n".join(_lines(out, losses, sockets))


def _lines(out: Path, losses: Sequence[float], sockets: Sockets) -> Iterator[str]:
    n, tenth = len(sockets.dataset.examples), max(1, len(losses) // 10)
    first, last = (sum(part) / tenth for part in (losses[:tenth], losses[-tenth:])) if losses else (0.0, 0.0)
    folder = folder_of(out)
    loader = "Z-Image Load LoRA" if folder.split("/")[0] == "loras" else "Z-Image Load Model"
    is_edit = bool(sockets.dataset.examples[0].references)
    yield (
        f"{out.name}: {len(losses)} steps on {n} pairs"
        if is_edit
        else f"{out.name}: {len(losses)} steps on {n} pictures"
    )
    yield f"Loss: {first:.3f} in the first tenth, {last:.3f} in the last"
    yield f"Saved in output/{folder}: press R, and {loader} lists it"
    has_branch = has_vision_branch(sockets.model.get_model_object(DIFFUSION_MODEL))
    if is_edit and not (sockets.dataset.vision and has_branch):
        yield "It learned from the pictures' latents alone: choose 'look at their latents' in Z-Image Edit Encode"
