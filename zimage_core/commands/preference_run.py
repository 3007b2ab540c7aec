"""What `zimage prefer` does with its config."""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..checkpoints import load_dit
from ..counted import counted
from ..model import S3DiT
from ..recipes import PreferenceConfig
from ..recipes.preference_config import FROM_PAIRS
from ..request import model_folder
from ..training.distributed import Processes, launched
from ..training.loop.state import saved_step
from ..training.memory.roles_plan import policy_plan
from ..training.objectives.diffusion_nft import WARNING
from ..training.preference.pair_files import read_pairs
from ..training.preference.policy_run import Learned, PolicyRun, learned_from, policy_run
from ..training.preference.progress import PreferenceProgress
from ..training.turbo import refuse_turbo_for_pairs
from .distillation_run import encoders_and_base, given_prompts, state_folder
from .files import check_out
from .machine import device_of, dtype_of
from .named_scores import reward_of, score_of
from .training_memory import tell_roles
from .training_run import refuse_begun


def learn_taste(config: PreferenceConfig, *, may_resume: bool, is_json: bool) -> None:
    """Train a policy, write its LoRA, and print what it took.

    Raises ValueError with one sentence for what cannot be done, or would go on without being told to.
    """
    start = time.perf_counter()
    check_out(config.out, "LoRAs", ".safetensors")
    if config.method == FROM_PAIRS:
        refuse_turbo_for_pairs(model_folder(config.model))
    refuse_begun([state_folder(config)], may_resume=may_resume)
    with launched(device_of(config.device).type) as processes:
        run, learned = prepare(config, processes)
        if config.method == "nft" and processes.is_first:
            print(f"zimage: {WARNING}", file=sys.stderr)
        last = train_policy(run, learned, processes)
        if processes.is_first:
            print_result(run, last, time.perf_counter() - start, is_json=is_json)


def prepare(config: PreferenceConfig, processes: Processes) -> tuple[PolicyRun, Learned]:
    """Read and encode what is learned from; the encoders are gone afterwards, but for the decoder of pictures."""
    reward = reward_of(config.reward) if config.reward else None
    from_pairs = config.method == FROM_PAIRS
    data = read_pairs(config.pairs) if from_pairs and config.pairs else given_prompts(Path(str(config.prompts)))
    encoders, base, cells = encoders_and_base(config, [score_of(name) for name in config.unrewarded])
    run = policy_run(config, data, encoders, base, cells, state_folder(config), reward=reward)
    unit = "pair" if from_pairs else "prompt"
    with tqdm(total=len(data), unit=unit, file=sys.stderr, leave=False, disable=not processes.is_first) as bar:
        return run, learned_from(run, encoders, config.pairs, bar.update)


def train_policy(run: PolicyRun, learned: Learned, processes: Processes) -> PreferenceProgress | None:
    """Train with progress in the terminal and write what came out. Returns the last step, None if nothing was left."""
    config, device = run.config, device_of(run.config.device)
    if processes.is_first:
        tell_roles(config, partial(policy_plan, tuning=run.tuning, cells=run.cells, caption_tokens=learned.longest()))
    dit: S3DiT = load_dit(model_folder(config.model) / "transformer", dtype_of(config.dtype, device))
    done, last, is_quiet = saved_step(run.folder), None, not processes.is_first
    part_format = "{desc} {n_fmt}/{total_fmt} |{bar}|"
    with (
        tqdm(total=config.steps, initial=done, unit="update", file=sys.stderr, disable=is_quiet) as bar,
        tqdm(total=1, file=sys.stderr, leave=False, bar_format=part_format, disable=is_quiet) as parts,
    ):

        def on_part(what: str, done: int, of: int) -> None:
            parts.set_description(what, refresh=False)
            parts.total, parts.n = of, done
            parts.refresh()

        for last in run.updates(dit.to(device), learned, on_part, processes):
            bar.update(last.step + 1 - bar.n)
            bar.set_postfix(postfix_of(last), refresh=False)
    return last


def postfix_of(progress: PreferenceProgress) -> dict[str, str]:
    """What stands beside the bar."""
    numbers = {"loss": progress.loss, **progress.rewards}
    more = {"preferred": progress.preferred, "kl": progress.kl}
    numbers |= {name: value for name, value in more.items() if value is not None}
    return {name: f"{value:.4f}" for name, value in numbers.items()}


def print_result(run: PolicyRun, last: PreferenceProgress | None, seconds: float, *, is_json: bool) -> None:
    """What was written, and what it took."""
    config, has_ended_early = run.config, run.has_decayed
    updates = saved_step(run.folder)
    result: dict[str, Any] = {
        "file": str(config.out),
        "method": config.method,
        "prompts": len(run.prompts),
        "updates": updates,
        "rewards": dict(last.rewards) if last else {},
        "decayed": has_ended_early,
        "seconds": round(seconds, 1),
    }
    line = f"{config.out}: {counted(updates, 'update')} on {counted(len(run.prompts), 'prompt')}, {seconds:.1f} s"
    if has_ended_early:
        line += "; pictures got worse beside the base's, so the best check's policy was written"
    elif updates < config.steps:
        line += "; the reward told no pictures apart any more"
    print(json.dumps(result) if is_json else line)
