"""Everything one can choose when a model learns a taste: keys of a recipe, and options of the command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .options import option
from .recipe_file import config_in
from .roles_config import MOST_GROUP, MOST_PICTURES, MOST_UPDATES, WEIGHT, RolesConfig
from .training_config import MOST_BATCH, MOST_RANK, MOST_STEPS, SHARE
from .values import Choice, Number, Place, Text, Texts, Whole

FROM_REWARDS, FROM_PAIRS = ("grpo", "nft"), "dpo"
MOST_DRAWING_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig(RolesConfig):
    """A policy, a LoRA on the model that is its base; rewards or pairs say which pictures are better."""

    model: str = option(
        Text(may_be_empty=False), help="nano, or a folder laid out as diffusers lays out its own", metavar="M"
    )
    out: Path = option(Place(), help="the LoRA; the state goes to FILE.training beside it", metavar="FILE.safetensors")
    method: Literal["grpo", "nft", "dpo"] = option(
        Choice(("grpo", "nft", "dpo")), "grpo", help="grpo and nft learn from rewards of prompts, dpo from pairs"
    )
    prompts: Path | None = option(
        Place(), None, help="of grpo, nft: a prompt a line; nano:prompts, nano:open are nano's", metavar="FILE.txt"
    )
    pairs: Path | None = option(
        Place(), None, help="of dpo: prompt, chosen, rejected on each line, pictures beside it", metavar="FILE.jsonl"
    )
    reward: tuple[str, ...] = option(
        Texts(), (), help="scores to learn, with weights if there are several", metavar="NAME[:WEIGHT]"
    )
    unrewarded: tuple[str, ...] = option(
        Texts(), (), help="scores that are looked at and not learned; without any nano's scene or noise", metavar="NAME"
    )
    steps: int = option(Whole(1, MOST_STEPS), 300, help="updates", metavar="N")
    lr: float = option(Number(0.0, 100.0), 1e-4, help="learning rate")
    batch: int = option(Whole(1, MOST_BATCH), 4, help="prompts that are drawn, or pairs of an update", metavar="N")
    group: int = option(Whole(2, MOST_GROUP), 8, help="pictures of a prompt that are compared", metavar="N")
    updates: int = option(Whole(1, MOST_UPDATES), 1, help="from the same pictures", metavar="N")
    drawing_steps: int = option(Whole(2, MOST_DRAWING_STEPS), 10, help="of each picture that is rated", metavar="N")
    cfg: float | None = option(
        Number(1.0, 100.0, has_low=True), None, help="guidance of what is drawn, 1 is none; without it the model's own"
    )
    shift: float | None = option(
        Number(0.0, 1000.0), None, help="of the levels toward noise; without it the model's own", metavar="K"
    )
    rule: Literal["flow-sde", "cps"] = option(
        Choice(("flow-sde", "cps")), "flow-sde", help="of GRPO's noisy steps; cps for students of few steps"
    )
    noise: float | None = option(
        Number(0.0, 1.0), None, help="of a noisy step; without it 0.7, with cps 1", metavar="A"
    )
    noisy_steps: int = option(Whole(1, MOST_DRAWING_STEPS), 2, help="of the first half, learned by GRPO", metavar="N")
    clip_ratio: float = option(Number(0.0, 1.0), 1e-4, help="largest change of GRPO's ratios that counts", metavar="C")
    kl: float | None = option(
        WEIGHT, None, help="what holds the policy at the base; without it 0.004, with nft 0.0001", metavar="W"
    )
    beta: float = option(Number(0.0, 1e6), 2000.0, help="of dpo: how sharply pairs are told apart", metavar="B")
    anchor: float = option(WEIGHT, 0.1, help="of dpo: flow matching on the chosen pictures", metavar="W")
    easy_first: float = option(
        SHARE, 0.5, help="of dpo: share of the updates in which longer prompts come in", metavar="P"
    )
    rank: int = option(Whole(1, MOST_RANK), 32, metavar="R")
    weight_decay: float = option(Number(0.0, 10.0, has_low=True), 0.0, metavar="W")
    ema: float = option(SHARE, 0.9, help="decay of the policy's average, which is saved", metavar="D")
    warmup: float = option(SHARE, 0.05, help="share of the updates in which the rate rises", metavar="P")
    decay: float = option(SHARE, 0.1, help="share of the updates, at the end, in which it falls to 0", metavar="P")
    checked: int = option(
        Whole(0, MOST_PICTURES), 12, help="prompts that are drawn twice and compared with the base's", metavar="N"
    )
    previews: tuple[str, ...] = option(Texts(), (), help="prompts that are drawn while it learns", metavar="TEXT")
    dtype: Literal["float32", "bfloat16"] | None = option(
        Choice(("float32", "bfloat16")), None, help="of the base; without it float32 on a CPU, else bfloat16"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == FROM_PAIRS and not self.pairs:
            raise ValueError("dpo learns from pairs of pictures: give pairs, or choose grpo for prompts and a reward")
        if self.method != FROM_PAIRS and not (self.prompts and self.reward):
            missing = "reward" if self.prompts else "prompts"
            raise ValueError(
                f"{self.method} learns from rewards of what it draws: give prompts and a reward ({missing} "
                "is missing), or choose dpo for pairs"
            )
        if self.method == "grpo" and self.noisy_steps > self.drawing_steps // 2:
            raise ValueError(
                f"noisy_steps: of {self.drawing_steps} steps of drawing only the first {self.drawing_steps // 2} can "
                f"be noisy, and not {self.noisy_steps}"
            )


def read_preference(file: Path | None, changes: Mapping[str, object]) -> PreferenceConfig:
    """The config of a recipe, with `changes` instead of what it says, or of `changes` alone.

    Raises ValueError with one sentence that names the key that is unknown, missing or of a wrong type.
    """
    return config_in(file, PreferenceConfig, changes, "a taste is learned")
