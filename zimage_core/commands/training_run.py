"""What `zimage train` does with its stages, whatever is trained."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..checkpoints import DIT, load_text_encoder, load_vae, load_vision, open_network
from ..counted import counted
from ..data import Example, hash_of
from ..model import S3DiT
from ..model.condition import RunBlock
from ..recipes import FullConfig, LoraConfig, Stage, TrainingConfig
from ..request import default_preset, default_size, has_vision, model_folder
from ..text import load_tokenizer
from ..training.distributed import Processes, launched
from ..training.encoded import Encoders, encoders_of
from ..training.encoded_files import EncodedSet
from ..training.flow_training import FlowMatching, TrainingSet, train_examples
from ..training.loop.runner import Recipe
from ..training.loop.state import saved_step
from ..training.placed import load_base, placed, refuse_compiling, refuse_streaming
from ..training.previews import Previews, interval, prompts_of
from ..training.settings import flow_matching_of, recipe_of
from ..training.trainables import Trainable
from ..training.trained_file import adapter_of, identity_of, told_of, trainable_of, write_trained
from ..training.training_adapter import TrainingAdapter
from ..training.turbo import refuse_turbo
from ..training.watch import Watch
from ..vae import Autoencoder, to_images
from .files import check_out
from .machine import device_of, dtype_of
from .training_data import Pictures, encoded_dataset, read_pictures
from .training_memory import device_of_captions, tell_training


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A stage before the network is loaded."""

    config: TrainingConfig
    pictures: Pictures
    dataset: TrainingSet
    validated: EncodedSet
    recipe: Recipe
    step_of: FlowMatching
    watch: Watch
    folder: Path  # of its state

    @property
    def identity(self) -> dict[str, Any]:
        """What, beside steps and arithmetic, makes its run another one."""
        return {**identity_of(self.config), "model": self.config.model, **self.pictures.identity(self.config)}


def train_stages(stages: Sequence[Stage], *, may_resume: bool, is_json: bool) -> None:
    """Train one stage after another on the same weights, write what came out, and print what it took.

    Raises ValueError with one sentence for what cannot be trained, or would go on without being told to.
    """
    start, config = time.perf_counter(), stages[0].config
    check_out(config.out, "LoRAs" if isinstance(config, LoraConfig) else "models", ".safetensors")
    refuse_turbo(model_folder(config.model), config)
    refuse_streaming(config, open_network(model_folder(config.model) / "transformer", DIT).config.n_layers)
    refuse_begun(map(folder_of, stages), may_resume=may_resume)
    with launched(device_of(config.device).type) as processes:
        refuse_several(config, processes)
        refuse_compiling(config, device_of(config.device), processes.count)
        prepared = prepare(stages, processes)
        if processes.count == 1:
            tell_training(config, [(each.config, each.dataset) for each in prepared])
        losses = train_all(prepared, processes)
        if processes.is_first:
            print_result(prepared, losses, time.perf_counter() - start, is_json=is_json)


def refuse_begun(folders: Iterable[Path], *, may_resume: bool) -> None:
    """Refuse to go on with a run of these folders' states without being told to."""
    if not may_resume and (begun := next(filter(saved_step, folders), None)):
        raise ValueError(f"{begun} holds a run that has begun: say --resume to go on with it, or delete that folder")


def refuse_several(config: TrainingConfig, processes: Processes) -> None:
    """What several processes cannot do."""
    if processes.count > 1 and isinstance(config, FullConfig) and config.optimizer == "adafactor":
        raise ValueError("adafactor needs whole matrices, which several processes divide: choose adamw")


def train_all(prepared: Sequence[Prepared], processes: Processes) -> list[float | None]:
    """Train every stage and write what came out. Returns the last loss of each, None where nothing was left."""
    last = prepared[-1]
    config, device = last.config, device_of(last.config.device)
    dit = load_base(model_folder(config.model) / "transformer", config, dtype_of(config.dtype, device))
    trainable = trainable_of(dit, config)
    with placed(dit, config, device, processes) as run:
        trainable.to(device)
        adapter = adapter_of(config, dit)
        losses = [train_with_bar(dit, trainable, adapter, each, processes, run) for each in prepared]
        base, example = model_folder(config.model).name, last.pictures.sources[0][0].captions[0]
        told = told_of(config, last.recipe, base=base, data=hash_of(last.pictures.learned), example=example)
        write_trained(trainable, config, config.out, told, {}, processes)
    return losses


def folder_of(stage: Stage) -> Path:
    """Where a stage's state lies."""
    return stage.config.out.with_suffix(".training") / stage.name


def prepare(stages: Sequence[Stage], processes: Processes) -> list[Prepared]:
    """Read and encode every stage's pictures; the encoders are gone afterwards, but for the decoder of previews."""
    config = stages[0].config
    read = [read_pictures(each.config, folder_of(each), processes) for each in stages]
    model, device = model_folder(config.model), device_of(config.device)
    refuse_blind(model, read)
    dtype, captions_on = dtype_of(config.dtype, device), device_of_captions(config, processes)
    vae = load_vae(model / "vae", dtype).to(device)
    text = load_text_encoder(model / "text_encoder", dtype).to(captions_on)
    encoded = config.out.with_suffix(".training") / "encoded"
    has_tower = (model / "siglip").is_dir() and has_vision(model)
    tower = load_vision(model / "siglip", dtype).to(device) if has_tower else None
    encoders = encoders_of(vae, text, load_tokenizer(model / "tokenizer"), encoded, tower)
    autocast = isinstance(config, FullConfig) and dtype == torch.bfloat16
    prepared: list[Prepared] = []
    for stage, pictures in zip(stages, read, strict=True):
        dataset, validated = encoded_dataset(stage.config, encoders, pictures, processes)
        recipe = recipe_of(stage.config, len(dataset.examples), autocast=autocast)
        has_any, first = bool(stage.config.previews), pictures.sources[0][0]
        shown = previews_of(stage.config, encoders, vae, recipe.steps, first) if has_any else None
        watch = Watch(
            patience=stage.config.patience,
            keep=stage.config.keep,
            previews=shown,
        )
        prepared.append(
            Prepared(
                config=stage.config,
                pictures=pictures,
                dataset=dataset,
                validated=validated,
                recipe=recipe,
                step_of=flow_matching_of(stage.config),
                watch=watch,
                folder=folder_of(stage),
            )
        )
    return prepared


def refuse_blind(model: Path, read: Sequence[Pictures]) -> None:
    """A model that looks at references through a vision encoder learns edits with it alone."""
    if not any(pictures.sources[0][0].references for pictures in read):
        return
    if has_vision(model) and not (model / "siglip").is_dir():
        raise ValueError(
            f"{model} looks at references through SigLIP 2, and its folder siglip is missing: put the vision encoder "
            "of the release there"
        )


def previews_of(config: TrainingConfig, encoders: Encoders, vae: Autoencoder, steps: int, first: Example) -> Previews:
    """Pictures of the config's prompts, with the settings that its model was released with.

    They change the sources of the `first` example, if that is an edit.
    """
    side = config.side or default_size(config.model, ())[0]
    return Previews(
        prompts=prompts_of(encoders, first, config.previews, side),
        preset=default_preset(config.model, ()),
        every=config.preview_every or interval(steps),
        decode=partial(decoded, vae),
        seed=config.seed,
    )


def decoded(vae: Autoencoder, latent: Tensor) -> Image.Image:
    """The picture of a latent in model space."""
    [picture] = to_images(vae.decode(latent.to(next(vae.parameters()))))
    return picture


def train_with_bar(
    dit: S3DiT,
    trainable: Trainable,
    adapter: TrainingAdapter | None,
    stage: Prepared,
    processes: Processes,
    run: RunBlock | None,
) -> float | None:
    """Train a stage to its end, with progress in the terminal. Returns the last loss, None if nothing was left."""
    loss = None
    with tqdm(total=stage.recipe.steps, unit="step", file=sys.stderr, disable=not processes.is_first) as bar:
        for progress in train_examples(
            dit,
            trainable,
            stage.dataset,
            stage.step_of,
            stage.recipe,
            stage.folder,
            validated=stage.validated,
            processes=processes,
            identity=stage.identity,
            watch=stage.watch,
            adapter=adapter,
            run=run,
        ):
            bar.update(progress.step + 1 - bar.n)
            bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
            loss = progress.loss
    return loss


def print_result(stages: Sequence[Prepared], losses: Sequence[float | None], seconds: float, *, is_json: bool) -> None:
    """What was written, and what it took."""
    out = stages[0].config.out
    steps, pictures = sum(each.recipe.steps for each in stages), sum(each.pictures.n_learned for each in stages)
    result = {"file": str(out), "pictures": pictures, "steps": steps, "loss": losses[-1], "seconds": round(seconds, 1)}
    line = f"{out}: {counted(steps, 'step')} on {counted(pictures, 'picture')}, {result['seconds']} s"
    print(json.dumps(result) if is_json else line)
