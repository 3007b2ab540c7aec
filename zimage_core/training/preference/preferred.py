"""What a config of preference means for the runner and for a lesson, and the file of what came out."""

from dataclasses import asdict
from typing import Any

import torch

from ...model import S3DiT
from ...recipes import PreferenceConfig
from ...sampling import Preset
from ..loop.runner import Recipe
from ..lora_file import alpha_of
from ..objectives.diffusion_dpo import DiffusionDpo
from ..objectives.diffusion_nft import DiffusionNft
from ..objectives.grpo import Cps, FlowSde, NoisyStep
from ..rewards.noisy_drawing import Drawing
from ..trainables import LoraTrainable, Roles
from .pair_lesson import PairTuning
from .reward_lesson import OLD, POLICY, RewardTuning

N_SAVES, SEEDS = 50, 2


def reward_tuning_of(config: PreferenceConfig, cells: tuple[int, int], preset: Preset) -> RewardTuning:
    """What a turn of GRPO or DiffusionNFT is made of, for latents of `cells` by a model with this preset."""
    is_grpo = config.method == "grpo"
    drawing = Drawing(
        cells=cells,
        steps=config.drawing_steps,
        shift=config.shift or preset.shift,
        cfg=config.cfg or preset.cfg,
        rule=rule_of(config),
        noisy_steps=config.noisy_steps if is_grpo else 0,
    )
    return RewardTuning(
        drawing=drawing,
        method="grpo" if is_grpo else "nft",
        prompts=config.batch,
        group=config.group,
        updates=config.updates,
        clip=config.clip_ratio,
        kl=RewardTuning.kl if config.kl is None else config.kl,
        nft=DiffusionNft(kl=DiffusionNft.kl if config.kl is None else config.kl),
        token_budget=config.token_budget,
    )


def rule_of(config: PreferenceConfig) -> NoisyStep:
    """How a noisy step is made."""
    if config.rule == "cps":
        return Cps(noise=config.noise or Cps.noise)
    return FlowSde(noise=config.noise or FlowSde.noise)


def pair_tuning_of(config: PreferenceConfig) -> PairTuning:
    """What an update of Diffusion-DPO is made of."""
    return PairTuning(
        dpo=DiffusionDpo(beta=config.beta, anchor=config.anchor),
        pairs=config.batch,
        easy_first=config.easy_first,
        steps=config.steps,
    )


def recipe_of(config: PreferenceConfig) -> Recipe:
    """The runner's settings."""
    return Recipe(
        steps=config.steps,
        lr=config.lr,
        optimizer=config.optimizer,
        warmup_steps=max(1, int(config.steps * config.warmup)),
        decay_part=config.decay,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        clip=config.clip,
        ema_decay=config.ema,
        seed=config.seed,
        save_every=max(1, config.steps // N_SAVES),
    )


def roles_of(dit: S3DiT, config: PreferenceConfig) -> Roles:
    """The policy, which at first is the base, and for rewards the old policy, which only follows it."""
    generator = torch.Generator().manual_seed(config.seed)
    names = (POLICY,) if config.method == "dpo" else (POLICY, OLD)
    adapters = {
        name: LoraTrainable(dit, rank=config.rank, alpha=alpha_of(config), generator=generator) for name in names
    }
    roles = Roles(**adapters).to(dit.x_pad_token.device)
    for name in names[1:]:
        roles.adapter(name).requires_grad_(False)
    return roles


def drawing_preset(config: PreferenceConfig, preset: Preset) -> Preset:
    """How checks and previews are drawn: as the model is, with the config's guidance and shift."""
    return Preset(
        steps=preset.steps, cfg=config.cfg or preset.cfg, shift=config.shift or preset.shift, solver=preset.solver
    )


def identity_of(config: PreferenceConfig, tuning: RewardTuning | PairTuning, data: str) -> dict[str, Any]:
    """What of a config, beside the runner's settings, makes a run another one; `data` is a hash of what is learned."""
    told = {key: value for key, value in asdict(tuning).items() if key != "saves_memory"}
    return {
        **{"prefer": config.method, "model": config.model, "rank": config.rank, "alpha": alpha_of(config)},
        **{"data": data, "reward": list(config.reward), "rule": config.rule, **told},
    }
