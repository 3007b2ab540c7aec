"""What `zimage distill` does with its config."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ..checkpoints import load_dit, load_text_encoder, load_vae
from ..counted import counted
from ..data import hash_of, read_dataset
from ..data.prompts import read_prompts
from ..model import S3DiT
from ..nano.data.example_sets import training_prompts
from ..nano.data.open_prompts import learned_prompts
from ..nano.judging.prompt_score import PromptScore
from ..recipes import DistillationConfig, PreferenceConfig
from ..request import default_preset, default_size, model_folder
from ..scoring.score import Score
from ..text import load_tokenizer
from ..training.distillation.adversary import Reals
from ..training.distillation.student_run import StudentRun, Teacher, student_run
from ..training.distributed import Processes, launched
from ..training.encoded import Encoders, encoders_of
from ..training.encoded_files import EncodedCaptions, EncodedSet
from ..training.loop.state import saved_step
from ..training.memory.roles_plan import student_plan
from ..training.previews import CELL
from ..training.turbo import refuse_turbo_as_teacher
from .files import check_out
from .machine import device_of, dtype_of
from .named_scores import reward_of
from .training_data import picture_folder
from .training_memory import tell_roles
from .training_run import decoded, refuse_begun

NANO_PROMPTS = {"nano:prompts": training_prompts, "nano:open": learned_prompts}  # that state all, that leave much open


def distill_student(config: DistillationConfig, *, may_resume: bool, is_json: bool) -> None:
    """Train a student, write its LoRA, and print what it took.

    Raises ValueError with one sentence for what cannot be done, or would go on without being told to.
    """
    start = time.perf_counter()
    check_out(config.out, "LoRAs", ".safetensors")
    refuse_turbo_as_teacher(model_folder(config.model))
    refuse_begun([state_folder(config)], may_resume=may_resume)
    with launched(device_of(config.device).type) as processes:
        run, captions = prepare(config, given_prompts(config.prompts), processes)
        updates = train_student(run, captions, processes)
        if processes.is_first:
            print_result(run, updates, time.perf_counter() - start, is_json=is_json)


def given_prompts(file: Path) -> list[str]:
    """The prompts of a file, or nano's own by name."""
    nanos = NANO_PROMPTS.get(str(file))
    return nanos() if nanos else read_prompts(file)


def state_folder(config: DistillationConfig | PreferenceConfig) -> Path:
    """Where the state of a run lies."""
    return config.out.with_suffix(".training")


def prepare(
    config: DistillationConfig, prompts: Sequence[str], processes: Processes
) -> tuple[StudentRun, EncodedCaptions]:
    """Encode the prompts; the encoders are gone afterwards, but for the decoder of pictures."""
    reward = reward_of(config.reward) if config.reward else None  # first, as a wrong name should cost no waiting
    encoders, teacher, cells = encoders_and_base(config)
    reals = encoded_reals(config, encoders, cells, processes) if config.data else None
    run = student_run(config, prompts, encoders, teacher, cells, state_folder(config), reward=reward, reals=reals)
    return run, encoded_prompts(encoders, prompts, processes)


def encoded_reals(
    config: DistillationConfig, encoders: Encoders, cells: tuple[int, int], processes: Processes
) -> Reals:
    """The pictures of the adversarial head, at the size that the student draws. Processes share the encoding."""
    assert config.data
    folder = picture_folder(config.data, state_folder(config), processes)
    examples, (height, width) = read_dataset(folder).examples, cells
    if any(each.references for each in examples):
        raise ValueError(f"{config.data} holds edits, whose captions are instructions: give pictures with captions")
    encode = partial(encoders.files_at, size=(width * CELL, height * CELL))
    mine = examples[processes.rank :: processes.count]
    with tqdm(mine, unit="picture", file=sys.stderr, leave=False, disable=not processes.is_first) as bar:
        files = list(map(encode, bar))
    processes.wait()
    if processes.count > 1:  # the others' are in the folder now
        files = list(map(encode, examples))
    return Reals(examples=EncodedSet(encoders.folder, files), hash=hash_of(examples))


def encoders_and_base(
    config: DistillationConfig | PreferenceConfig, scores: Sequence[Score] = ()
) -> tuple[Encoders, Teacher, tuple[int, int]]:
    """What encodes, the base with the scores of its pictures, and height and width of the latents.

    Without scores nano's checker reads pictures of nano's world.
    """
    model, device = model_folder(config.model), device_of(config.device)
    dtype = dtype_of(config.dtype, device)
    width, height = (config.side, config.side) if config.side else default_size(config.model, ())
    vae = load_vae(model / "vae", dtype).to(device)
    text = load_text_encoder(model / "text_encoder", dtype).to(device)
    base = Teacher(
        name=model.name,
        preset=default_preset(config.model, ()),
        decode=partial(decoded, vae),
        scores=scores or ([PromptScore()] if config.model == "nano" else []),
    )
    encoders = encoders_of(vae, text, load_tokenizer(model / "tokenizer"), state_folder(config) / "encoded")
    return encoders, base, (height // CELL, width // CELL)


def train_student(run: StudentRun, captions: EncodedCaptions, processes: Processes) -> int:
    """Train with progress in the terminal and write what came out. Returns the student's updates."""
    config, done = run.config, saved_step(run.folder)
    device = device_of(config.device)
    if processes.is_first:
        tell_roles(config, partial(student_plan, step_of=run.step_of, caption_tokens=captions.longest()))
    dit: S3DiT = load_dit(model_folder(config.model) / "transformer", dtype_of(config.dtype, device))
    with tqdm(total=run.recipe.steps, unit="step", file=sys.stderr, disable=not processes.is_first) as bar:
        for progress in run.updates(dit.to(device), captions, processes):
            done = progress.step + 1
            bar.update(done - bar.n)
            numbers = {progress.role: progress.loss, **progress.rewards}
            bar.set_postfix({name: f"{value:.4f}" for name, value in numbers.items()}, refresh=False)
    return done // run.step_of.turn


def encoded_prompts(encoders: Encoders, prompts: Sequence[str], processes: Processes) -> EncodedCaptions:
    """The features of all prompts. Processes share the encoding."""
    mine, is_quiet = prompts[processes.rank :: processes.count], not processes.is_first
    with tqdm(total=len(mine), unit="prompt", file=sys.stderr, leave=False, disable=is_quiet) as bar:
        encoders.captions(mine, bar.update)
    processes.wait()
    return encoders.captions(prompts)  # those of the others are in the folder now


def print_result(run: StudentRun, updates: int, seconds: float, *, is_json: bool) -> None:
    """What was written, and what it took."""
    config, decay = run.config, run.alarm.decay
    result = {
        "file": str(config.out),
        "prompts": len(run.prompts),
        "updates": updates,
        "nfe": config.nfe,
        "decayed": decay is not None,
        "seconds": round(seconds, 1),
    }
    line = f"{config.out}: {counted(updates, 'update')} on {counted(len(run.prompts), 'prompt')}, {seconds:.1f} s"
    if decay:
        names, best = ", ".join(decay.names), decay.best // run.step_of.turn
        line += f"; {names} got worse beside the teacher's, so the student of update {best} was written"
    print(json.dumps(result) if is_json else line)
