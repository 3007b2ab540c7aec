"""What a config of training means for the runner and for a step."""

from ..recipes import TrainingConfig
from .flow_training import FlowMatching
from .loop.runner import Recipe
from .objectives.noise_levels import NoiseLevels

STEPS_PER_PICTURE, FEWEST_STEPS, MOST_STEPS = 100, 500, 3000
N_SAVES = 20  # in a run


def recipe_of(config: TrainingConfig, n_pictures: int, *, autocast: bool = False) -> Recipe:
    """The runner's settings; the number of steps follows from that of the pictures where none is given."""
    steps = config.steps or min(max(STEPS_PER_PICTURE * n_pictures, FEWEST_STEPS), MOST_STEPS)
    return Recipe(
        steps=steps,
        lr=config.lr,
        optimizer=config.optimizer,
        warmup_steps=max(1, int(steps * config.warmup)),
        decay_part=config.decay,
        betas=(0.9, config.beta2),
        weight_decay=config.weight_decay,
        clip=config.clip,
        ema_decay=config.ema,
        seed=config.seed,
        save_every=max(1, steps // N_SAVES),
        autocast=autocast,
    )


def flow_matching_of(config: TrainingConfig) -> FlowMatching:
    """What a step is made of."""
    return FlowMatching(
        batch=config.batch,
        token_budget=config.token_budget,
        caption_dropout=config.caption_dropout,
        levels=NoiseLevels(distribution=config.levels, shift=config.shift, weighting=config.weighting),
        saves_memory=not config.keep_activations,
        compiles=config.compile,
    )
