"""What a config of distillation means for the runner and for an update, and the file of what came out."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from ...model import S3DiT
from ...recipes import DistillationConfig
from ...sampling import Preset
from ..lora_file import alpha_of
from ..objectives import DecoupledDmd
from ..objectives.dmdr import Dmdr
from ..trainables import LoraTrainable, Roles
from .adversary import AdversarialHead
from .update import FAKE, STUDENT, Distillation, TwoRates

FAKE_UPDATES, N_SAVES = 5, 20


def distillation_of(config: DistillationConfig, cells: tuple[int, int]) -> Distillation:
    """What an update is made of, for latents of `cells`."""
    needs_fake = config.method == "dmd2" or config.dm_weight > 0
    default = FAKE_UPDATES if needs_fake else 0
    return Distillation(
        cells=cells,
        cfg=config.cfg,
        method=config.method,
        dmdr=dmdr_of(config),
        adversarial_weight=config.adversarial_weight,
        dmd=DecoupledDmd(ca_weight=config.ca_weight, dm_weight=config.dm_weight, levels=config.levels),
        nfe=config.nfe,
        shift=config.shift,
        grid=config.grid,
        renoised=config.renoised,
        fake_updates=default if config.fake_updates is None else config.fake_updates,
        batch=config.batch,
        token_budget=config.token_budget,
    )


def dmdr_of(config: DistillationConfig) -> Dmdr | None:
    """When rewards begin and what they count; None for other methods."""
    if config.method != "dmdr":
        return None
    return Dmdr(
        cold_start=int(config.steps * config.cold_start),
        dynamic=int(config.steps * config.dynamic),
        reward_weight=config.reward_weight,
        through=config.through,
        group=config.group,
    )


def two_rates_of(config: DistillationConfig, turn: int) -> TwoRates:
    """The runner's settings; one update of the student is a `turn` of its steps."""
    return TwoRates(
        steps=config.steps * turn,
        lr=config.lr,
        fake_lr=config.fake_lr or config.lr,
        turn=turn,
        optimizer=config.optimizer,
        warmup_steps=max(1, int(config.steps * config.warmup)) * turn,
        decay_part=config.decay,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        clip=config.clip,
        ema_decay=config.ema,
        seed=config.seed,
        save_every=max(1, config.steps // N_SAVES) * turn,
    )


def roles_of(dit: S3DiT, config: DistillationConfig) -> Roles:
    """Student and fake score, which at first are the teacher, and the adversarial head if one is asked for."""
    generator, device = torch.Generator().manual_seed(config.seed), dit.x_pad_token.device
    alpha = alpha_of(config)
    adapters = {
        role: LoraTrainable(dit, rank=config.rank, alpha=alpha, generator=generator).to(device)
        for role in (STUDENT, FAKE)
    }
    head = AdversarialHead(dit.config.dim, generator).to(device) if config.adversarial_weight else None
    return Roles(head, **adapters)


def student_preset(config: DistillationConfig, steps: int | None = None) -> Preset:
    """How the student draws."""
    return Preset(steps=steps or config.nfe, cfg=1.0, shift=config.shift, solver="euler")


def identity_of(config: DistillationConfig, prompts: Sequence[str]) -> dict[str, Any]:
    """What of a config, beside updates and arithmetic, makes a run another one."""
    told = {"distill": config.method, "model": config.model, "rank": config.rank, "prompts": hash_of(prompts)}
    return {**told, "reward": list(config.reward)} if config.reward else told


def hash_of(prompts: Sequence[str]) -> str:
    """Of the prompts in their order."""
    return hashlib.blake2b("\n".join(prompts).encode(), digest_size=16).hexdigest()


def sampling_of(config: DistillationConfig) -> dict[str, str]:
    """What a student's file says of how it draws."""
    return {"zimage.sampling": f"{config.nfe} steps, cfg 1, euler, shift {config.shift:g}"}


def settings_of(step_of: Distillation, recipe: TwoRates) -> dict[str, Any]:
    """What is told of a run in its file."""
    return {**asdict(recipe), **asdict(step_of)}
