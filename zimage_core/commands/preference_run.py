"""What `zimage prefer` does with its config."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from ..checkpoints import load_dit, load_text_encoder, load_vae
from ..counted import counted
from ..data.preferences import Preference
from ..model import S3DiT
from ..nano.judging.prompt_score import PromptScore
from ..recipes import PreferenceConfig
from ..recipes.preference_config import FROM_PAIRS
from ..request import default_preset, default_size, model_folder
from ..sampling import Preset
from ..scoring.features import DiversityScore
from ..scoring.features.thumbnails import Thumbnails
from ..scoring.statistics import STATISTICS
from ..text import load_tokenizer
from ..training.decay import Checks, DecayAlarm
from ..training.distilled import hash_of
from ..training.encoded import Encoders, encoders_of
from ..training.encoded_files import EncodedCaptions
from ..training.loop.runner import Recipe
from ..training.loop.state import saved_step
from ..training.objectives.diffusion_nft import WARNING
from ..training.pair_files import encoded_pairs, hash_of_pairs, read_pairs
from ..training.pair_lesson import PairLesson, PairTuning
from ..training.prefer import Lesson, PreferenceWatch, prefer
from ..training.preference_progress import PreferenceProgress
from ..training.preferred import (
    BEST,
    N_CHECKS,
    SEEDS,
    drawing_preset,
    identity_of,
    pair_tuning_of,
    recipe_of,
    reward_tuning_of,
    roles_of,
    scores_of_checks,
    write_policy,
)
from ..training.previews import Previews, Prompts, interval
from ..training.reward_lesson import RewardLesson, RewardTuning
from ..training.rewards import Reward, request_of
from ..training.student_run import copy_file
from ..training.trainables import Roles
from ..training.turbo import is_turbo
from ..vae import Autoencoder
from .distillation_run import given_prompts, refuse_several, state_folder
from .files import check_out
from .machine import device_of, dtype_of
from .named_scores import reward_of, score_of
from .training_run import decoded, refuse_begun


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run before the transformer is loaded."""

    config: PreferenceConfig
    data: Sequence[str] | Sequence[Preference]
    reward: Reward | None
    encoders: Encoders
    vae: Autoencoder
    cells: tuple[int, int]
    preset: Preset  # of the model
    tuning: RewardTuning | PairTuning
    recipe: Recipe

    @property
    def folder(self) -> Path:
        """Of its state."""
        return state_folder(self.config)

    @property
    def prompts(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(each if isinstance(each, str) else each.prompt for each in self.data))

    @property
    def hash_of_data(self) -> str:
        """Of what is learned from."""
        pairs = [each for each in self.data if isinstance(each, Preference)]
        return hash_of_pairs(pairs) if pairs else hash_of(self.prompts)


def learn_taste(config: PreferenceConfig, *, may_resume: bool, is_json: bool) -> None:
    """Train a policy, write its LoRA, and print what it took.

    Raises ValueError with one sentence for what cannot be done, or would go on without being told to.
    """
    start = time.perf_counter()
    check_out(config.out, "LoRAs", ".safetensors")
    refuse_several("a taste is learned")
    refuse_turbo_for_pairs(config)
    refuse_begun([state_folder(config)], may_resume=may_resume)
    prepared = prepare(config)
    if config.method == "nft":
        print(f"zimage: {WARNING}", file=sys.stderr)
    last = train_policy(prepared)
    print_result(prepared, last, time.perf_counter() - start, is_json=is_json)


def refuse_turbo_for_pairs(config: PreferenceConfig) -> None:
    """Flow matching on pictures, which the loss of pairs is, takes Turbo's few steps from it."""
    model = model_folder(config.model)
    if config.method == FROM_PAIRS and is_turbo(model):
        raise ValueError(
            f"{model.name} is a Turbo model: learning from pairs would take its few steps from it. Learn on the base "
            "model, or choose grpo with the rule cps"
        )


def prepare(config: PreferenceConfig) -> Prepared:
    """Read what is learned from, load the encoders, and say what an update is."""
    reward = reward_of(config.reward) if config.reward else None
    from_pairs = config.method == FROM_PAIRS
    data = read_pairs(config.pairs) if from_pairs and config.pairs else given_prompts(Path(str(config.prompts)))
    model, device = model_folder(config.model), device_of(config.device)
    dtype, preset = dtype_of(config.dtype, device), default_preset(config.model, ())
    width, height = (config.side, config.side) if config.side else default_size(config.model, ())
    cells = height // 8, width // 8
    vae = load_vae(model / "vae", dtype).to(device)
    text = load_text_encoder(model / "text_encoder", dtype).to(device)
    return Prepared(
        config=config,
        data=data,
        reward=reward,
        encoders=encoders_of(vae, text, load_tokenizer(model / "tokenizer"), state_folder(config) / "encoded"),
        vae=vae,
        cells=cells,
        preset=preset,
        tuning=pair_tuning_of(config) if from_pairs else reward_tuning_of(config, cells, preset),
        recipe=recipe_of(config),
    )


def train_policy(prepared: Prepared) -> PreferenceProgress | None:
    """Train with progress in the terminal and write what came out. Returns the last step, None if nothing was left."""
    config, device = prepared.config, device_of(prepared.config.device)
    no_caption = prepared.encoders.caption("")
    learned = learned_from(prepared)
    previews, checks = previews_of(prepared), checks_of(prepared)
    dit: S3DiT = load_dit(model_folder(config.model) / "transformer", dtype_of(config.dtype, device))
    dit.to(device)
    roles = roles_of(dit, config)
    settings = {**asdict(prepared.recipe), **asdict(prepared.tuning), "reward": list(config.reward)}
    base = model_folder(config.model).name
    told = {"settings": settings, "base": base, "data": prepared.hash_of_data, "example": prepared.prompts[0]}
    write = partial(write_policy, roles, config, **told)
    done, last = saved_step(prepared.folder), None
    with (
        tqdm(total=config.steps, initial=done, unit="update", file=sys.stderr) as bar,
        tqdm(total=1, unit="part", file=sys.stderr, leave=False) as parts,
    ):

        def on_part(what: str, done: int, of: int) -> None:
            parts.set_description(what, refresh=False)
            parts.total, parts.n = of, done
            parts.refresh()

        watch = PreferenceWatch(
            checks=checks,
            patience=config.patience,
            previews=previews,
            keep_best=partial(write, out=prepared.folder / BEST),
            keep=config.keep,
            on_part=on_part,
        )
        lesson = learned(dit, roles, no_caption)
        identity = identity_of(config, prepared.tuning, prepared.hash_of_data)
        for last in prefer(dit, roles, lesson, prepared.recipe, prepared.folder, identity=identity, watch=watch):
            bar.update(last.step + 1 - bar.n)
            bar.set_postfix(postfix_of(last), refresh=False)
    if has_decayed(prepared):
        copy_file(prepared.folder / BEST, config.out)
    else:
        write(out=config.out)
    return last


def postfix_of(progress: PreferenceProgress) -> dict[str, str]:
    """What stands beside the bar."""
    numbers = {"loss": progress.loss, **progress.rewards}
    more = {"preferred": progress.preferred, "kl": progress.kl}
    numbers |= {name: value for name, value in more.items() if value is not None}
    return {name: f"{value:.4f}" for name, value in numbers.items()}


def has_decayed(prepared: Prepared) -> bool:
    """Whether checks ended the run, so that its best policy counts and not its last."""
    return DecayAlarm(prepared.folder, prepared.config.patience).has_gone_off()


def learned_from(prepared: Prepared) -> Callable[[S3DiT, Roles, Tensor], Lesson]:
    """Encode what is learned from; what is returned makes the lesson once the transformer is there."""
    config, encoders, tuning = prepared.config, prepared.encoders, prepared.tuning
    if isinstance(tuning, PairTuning):
        assert config.pairs
        pairs = [each for each in prepared.data if isinstance(each, Preference)]
        area = 64 * prepared.cells[0] * prepared.cells[1]
        with tqdm(total=len(pairs), unit="pair", file=sys.stderr, leave=False) as bar:
            encoded = encoded_pairs(encoders, config.pairs, pairs, area, on_pair=bar.update)
        return lambda dit, roles, no_caption: PairLesson(
            dit, roles, encoded, no_caption, encoded.difficulties(), tuning
        )
    reward, requests = prepared.reward, [request_of(prompt) for prompt in prepared.prompts]
    assert reward
    with tqdm(prepared.prompts, unit="prompt", file=sys.stderr, leave=False) as bar:
        captions = EncodedCaptions(encoders.folder, [encoders.caption_file(words) for words in bar])
    decode = partial(decoded, prepared.vae)
    return lambda dit, roles, no_caption: RewardLesson(
        dit, roles, captions, no_caption, requests, reward, decode, tuning, config.seed
    )


def drawn(prepared: Prepared, words: Sequence[str], every: int) -> Previews:
    """Prompts that are drawn as the model is."""
    encoders = prepared.encoders
    return Previews(
        prompts=Prompts([encoders.caption(each) for each in words], encoders.caption(""), prepared.cells),
        preset=drawing_preset(prepared.config, prepared.preset),
        every=every,
        decode=partial(decoded, prepared.vae),
        seed=prepared.config.seed,
    )


def previews_of(prepared: Prepared) -> Previews | None:
    """Pictures of the config's prompts."""
    config = prepared.config
    if not config.previews:
        return None
    return drawn(prepared, config.previews, config.preview_every or interval(config.steps))


def checks_of(prepared: Prepared) -> Checks | None:
    """The first prompts, beside the reward always something that is not rewarded, and how pictures differ."""
    config, prompts = prepared.config, prepared.prompts[: prepared.config.checked]
    if not prompts:
        return None
    drawn_by = drawn(prepared, prompts, every=1)
    unrewarded = [score_of(name) for name in config.unrewarded] or [
        PromptScore() if config.model == "nano" else STATISTICS["noise"]
    ]
    return Checks(
        drawn=drawn_by,
        prompts=prompts,
        student=drawn_by.preset,
        scores=[*scores_of_checks(prepared.reward, unrewarded), DiversityScore(Thumbnails())],
        every=config.check_every or max(1, config.steps // N_CHECKS),
        seeds=SEEDS,
    )


def print_result(prepared: Prepared, last: PreferenceProgress | None, seconds: float, *, is_json: bool) -> None:
    """What was written, and what it took."""
    config, has_ended_early = prepared.config, has_decayed(prepared)
    updates = saved_step(prepared.folder)
    result: dict[str, Any] = {
        "file": str(config.out),
        "method": config.method,
        "prompts": len(prepared.prompts),
        "updates": updates,
        "rewards": dict(last.rewards) if last else {},
        "decayed": has_ended_early,
        "seconds": round(seconds, 1),
    }
    line = f"{config.out}: {counted(updates, 'update')} on {counted(len(prepared.prompts), 'prompt')}, {seconds:.1f} s"
    if has_ended_early:
        line += "; pictures got worse beside the base's, so the best check's policy was written"
    elif updates < config.steps:
        line += "; the reward told no pictures apart any more"
    print(json.dumps(result) if is_json else line)
