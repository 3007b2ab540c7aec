"""What `zimage distill` does with its config."""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ..atomic_file import write_atomically
from ..checkpoints import load_dit, load_text_encoder, load_vae
from ..counted import counted
from ..data.prompts import read_prompts
from ..model import S3DiT
from ..nano.data.example_sets import training_prompts
from ..nano.judging.prompt_score import PromptScore
from ..recipes import DistillationConfig, PreferenceConfig
from ..request import default_preset, default_size, model_folder
from ..text import load_tokenizer
from ..training.decay import Checks, DecayAlarm
from ..training.distill import DistillationWatch, distill
from ..training.distillation import Distillation, TwoRates
from ..training.distilled import (
    N_CHECKS,
    distillation_of,
    identity_of,
    roles_of,
    settings_of,
    student_preset,
    two_rates_of,
    write_student,
)
from ..training.encoded import Encoders, encoders_of
from ..training.encoded_files import EncodedCaptions
from ..training.few_step_previews import FEW_STEPS, FewStepPreviews
from ..training.loop.state import saved_step
from ..training.preferred import scores_of_checks
from ..training.previews import Previews, Prompts, interval
from ..training.rewards import request_of
from ..training.students_reward import StudentsReward
from ..training.turbo import refuse_turbo_as_teacher
from ..vae import Autoencoder
from .files import check_out
from .machine import device_of, dtype_of
from .named_scores import reward_of
from .training_run import decoded, refuse_begun

NANO_PROMPTS = "nano:prompts"
BEST = "best.safetensors"  # beside the state: the student of the check that was nearest to the teacher


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run before the network is loaded."""

    config: DistillationConfig
    prompts: Sequence[str]
    encoders: Encoders
    vae: Autoencoder
    step_of: Distillation
    recipe: TwoRates

    @property
    def folder(self) -> Path:
        """Of its state."""
        return state_folder(self.config)


def distill_student(config: DistillationConfig, *, may_resume: bool, is_json: bool) -> None:
    """Train a student, write its LoRA, and print what it took.

    Raises ValueError with one sentence for what cannot be done, or would go on without being told to.
    """
    start = time.perf_counter()
    check_out(config.out, "LoRAs", ".safetensors")
    refuse_several("a student is distilled")
    refuse_turbo_as_teacher(model_folder(config.model))
    refuse_begun([state_folder(config)], may_resume=may_resume)
    prepared = prepare(config, given_prompts(config.prompts))
    updates = train_student(prepared)
    print_result(prepared, updates, time.perf_counter() - start, is_json=is_json)


def given_prompts(file: Path) -> list[str]:
    """The prompts of a file, or nano's own."""
    return training_prompts() if str(file) == NANO_PROMPTS else read_prompts(file)


def refuse_several(what: str) -> None:
    """Rollouts of several processes differ in length, and would wait for each other's parts of the weights for ever."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(f"{what} by one process: start the command without a launcher of several")


def state_folder(config: DistillationConfig | PreferenceConfig) -> Path:
    """Where the state of a run lies."""
    return config.out.with_suffix(".training")


def prepare(config: DistillationConfig, prompts: Sequence[str]) -> Prepared:
    """Load the encoders, and say what an update is."""
    model, device = model_folder(config.model), device_of(config.device)
    dtype = dtype_of(config.dtype, device)
    width, height = (config.side, config.side) if config.side else default_size(config.model, ())
    step_of = distillation_of(config, (height // 8, width // 8))
    vae = load_vae(model / "vae", dtype).to(device)
    text = load_text_encoder(model / "text_encoder", dtype).to(device)
    encoders = encoders_of(vae, text, load_tokenizer(model / "tokenizer"), state_folder(config) / "encoded")
    recipe = two_rates_of(config, step_of.turn)
    return Prepared(config=config, prompts=prompts, encoders=encoders, vae=vae, step_of=step_of, recipe=recipe)


def train_student(prepared: Prepared) -> int:
    """Train with progress in the terminal and write what came out. Returns the student's updates."""
    config, turn = prepared.config, prepared.step_of.turn
    captions = encoded_prompts(prepared)
    no_caption, previews, checks = prepared.encoders.caption(""), previews_of(prepared), checks_of(prepared)
    device = device_of(config.device)
    dit: S3DiT = load_dit(model_folder(config.model) / "transformer", dtype_of(config.dtype, device))
    dit.to(device)
    roles = roles_of(dit, config)
    write = partial(
        write_student,
        roles,
        config,
        settings=settings_of(prepared.step_of, prepared.recipe),
        base=model_folder(config.model).name,
        prompts=prepared.prompts,
    )
    rewarded = None
    if config.reward:
        words = captions, no_caption, [request_of(prompt) for prompt in prepared.prompts]
        decode = partial(decoded, prepared.vae)
        rewarded = StudentsReward(dit, roles, *words, reward_of(config.reward), decode, prepared.step_of)
    watch = DistillationWatch(
        checks=checks,
        patience=config.patience,
        previews=previews,
        keep_best=partial(write, out=prepared.folder / BEST),
        keep=config.keep,
    )
    done = saved_step(prepared.folder)
    with tqdm(total=prepared.recipe.steps, unit="step", file=sys.stderr) as bar:
        for progress in distill(
            dit,
            roles,
            captions,
            no_caption,
            prepared.step_of,
            prepared.recipe,
            prepared.folder,
            identity=identity_of(config, prepared.prompts),
            watch=watch,
            rewarded=rewarded,
        ):
            done = progress.step + 1
            bar.update(done - bar.n)
            numbers = {progress.role: progress.loss, **progress.rewards}
            bar.set_postfix({name: f"{value:.4f}" for name, value in numbers.items()}, refresh=False)
    if has_decayed(prepared):
        copy_file(prepared.folder / BEST, config.out)
    else:
        write(out=config.out)
    return done // turn


def has_decayed(prepared: Prepared) -> bool:
    """Whether checks ended the run, so that its best student counts and not its last."""
    return DecayAlarm(prepared.folder, prepared.config.patience).has_gone_off()


def copy_file(file: Path, other: Path) -> None:
    """The same bytes in another place, at once or not at all."""
    with file.open("rb") as opened:
        write_atomically(other, lambda copy: shutil.copyfileobj(opened, copy))


def encoded_prompts(prepared: Prepared) -> EncodedCaptions:
    """The features of all prompts."""
    encoders = prepared.encoders
    with tqdm(prepared.prompts, unit="prompt", file=sys.stderr, leave=False) as bar:
        return EncodedCaptions(encoders.folder, [encoders.caption_file(words) for words in bar])


def encoded(prepared: Prepared, words: Sequence[str]) -> Prompts:
    """Prompts that are drawn, at the size that the student learns."""
    encoders = prepared.encoders
    return Prompts([encoders.caption(each) for each in words], encoders.caption(""), prepared.step_of.cells)


def previews_of(prepared: Prepared) -> FewStepPreviews | None:
    """Pictures of the config's prompts in 1, 2, 4 and 8 steps."""
    config = prepared.config
    if not config.previews:
        return None
    return FewStepPreviews(
        prompts=encoded(prepared, config.previews),
        preset=student_preset(config),
        presets=[student_preset(config, steps) for steps in FEW_STEPS],
        every=(config.preview_every or interval(config.steps)) * prepared.step_of.turn,
        decode=partial(decoded, prepared.vae),
        seed=config.seed,
    )


def checks_of(prepared: Prepared) -> Checks | None:
    """The first prompts; nano's checker reads pictures of nano's world."""
    config = prepared.config
    prompts = prepared.prompts[: config.checked]
    if not prompts:
        return None
    drawn = Previews(
        prompts=encoded(prepared, prompts),
        preset=default_preset(config.model, ()),
        every=1,
        decode=partial(decoded, prepared.vae),
        seed=config.seed,
    )
    return Checks(
        drawn=drawn,
        prompts=prompts,
        student=student_preset(config),
        scores=scores_of_checks(
            reward_of(config.reward) if config.reward else None, [PromptScore()] if config.model == "nano" else []
        ),
        every=(config.check_every or max(1, config.steps // N_CHECKS)) * prepared.step_of.turn,
    )


def print_result(prepared: Prepared, updates: int, seconds: float, *, is_json: bool) -> None:
    """What was written, and what it took."""
    config, has_ended_early = prepared.config, has_decayed(prepared)
    result = {
        "file": str(config.out),
        "prompts": len(prepared.prompts),
        "updates": updates,
        "nfe": config.nfe,
        "decayed": has_ended_early,
        "seconds": round(seconds, 1),
    }
    line = f"{config.out}: {counted(updates, 'update')} on {counted(len(prepared.prompts), 'prompt')}, {seconds:.1f} s"
    decayed = "; pictures got worse beside the teacher's, so the best check's student was written"
    print(json.dumps(result) if is_json else line + (decayed if has_ended_early else ""))
