"""Everything one can choose when a base model becomes one of few steps: keys of a recipe, options of the command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .options import option
from .recipe_file import config_in
from .roles_config import MOST_GROUP, MOST_PICTURES, MOST_UPDATES, WEIGHT, RolesConfig
from .training_config import MOST_BATCH, MOST_RANK, MOST_STEPS, SHARE
from .values import Choice, Number, Place, Text, Texts, Whole

METHODS = ("decoupled-dmd", "dmd2", "dmdr")
LEVELS = ("decoupled", "full", "below", "shared")
MOST_NFE = 64


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(RolesConfig):
    """A student and a score of what it makes, both LoRAs on the model that is its teacher."""

    model: str = option(
        Text(may_be_empty=False),
        help="the teacher: nano, or a folder laid out as diffusers lays out its own",
        metavar="M",
    )
    prompts: Path = option(
        Place(), help="a text file with a prompt a line; nano:prompts and nano:open are nano's", metavar="FILE.txt"
    )
    out: Path = option(
        Place(), help="the student's LoRA; the state goes to FILE.training beside it", metavar="FILE.safetensors"
    )
    method: Literal["decoupled-dmd", "dmd2", "dmdr"] = option(
        Choice(METHODS), "decoupled-dmd", help="dmdr also learns from rewards"
    )
    nfe: int = option(Whole(1, MOST_NFE), 8, help="steps of the student, without guidance", metavar="N")
    steps: int = option(Whole(1, MOST_STEPS), 1000, help="updates of the student", metavar="N")
    lr: float = option(Number(0.0, 100.0), 2e-5, help="the student's learning rate")
    fake_lr: float | None = option(Number(0.0, 100.0), None, help="the fake score's; without it the student's")
    fake_updates: int | None = option(
        Whole(0, MOST_UPDATES), None, help="of the fake score before each of the student; without it 5", metavar="N"
    )
    cfg: float = option(Number(1.0, 100.0, has_low=True), 4.0, help="the teacher's guidance, 1 is none")
    ca_weight: float = option(WEIGHT, 1.0, help="of guidance (CA); 0 leaves it out", metavar="W")
    dm_weight: float = option(WEIGHT, 1.0, help="of distribution matching (DM); 0 leaves it out", metavar="W")
    levels: Literal["decoupled", "full", "below", "shared"] = option(
        Choice(LEVELS),
        "decoupled",
        help="where CA and DM look: below the student's level and everywhere, both everywhere, both below, both at one",
    )
    grid: Literal["dynamic", "fixed"] = option(
        Choice(("dynamic", "fixed")), "dynamic", help="levels the student is fed at: drawn, or those of its schedule"
    )
    renoised: float = option(SHARE, 0.3, help="share of rollouts that noise anew; the others are Euler's", metavar="P")
    shift: float = option(Number(0.0, 1000.0), 3.0, help="of the student's levels toward noise", metavar="K")
    batch: int = option(Whole(1, MOST_BATCH), 4, help="prompts an update", metavar="N")
    rank: int = option(Whole(1, MOST_RANK), 64, help="of both LoRAs", metavar="R")
    weight_decay: float = option(Number(0.0, 10.0, has_low=True), 0.01, metavar="W")
    ema: float = option(SHARE, 0.99, help="decay of the student's average, which is saved", metavar="D")
    warmup: float = option(SHARE, 0.05, help="share of the updates in which the rates rise", metavar="P")
    decay: float = option(SHARE, 0.1, help="share of the updates, at the end, in which they fall to 0", metavar="P")
    checked: int = option(
        Whole(0, MOST_PICTURES), 24, help="pictures that are compared with the teacher's now and then", metavar="N"
    )
    previews: tuple[str, ...] = option(Texts(), (), help="prompts that are drawn in 1, 2, 4, 8 steps", metavar="TEXT")
    reward: tuple[str, ...] = option(
        Texts(), (), help="of dmdr: scores of the student's pictures, with weights if several", metavar="NAME[:WEIGHT]"
    )
    reward_weight: float = option(WEIGHT, 0.1, help="of dmdr's rewards beside the distillation", metavar="W")
    cold_start: float = option(SHARE, 0.5, help="of dmdr: share of the updates before rewards count", metavar="P")
    dynamic: float = option(
        SHARE,
        0.25,
        help="of dmdr: share of the updates in which the teacher is helped to meet the student",
        metavar="P",
    )
    through: Literal["grpo", "nft", "dpo"] = option(
        Choice(("grpo", "nft", "dpo")), "grpo", help="of dmdr: how rewards are learned"
    )
    group: int = option(Whole(2, MOST_GROUP), 8, help="of dmdr: pictures of a prompt that are compared", metavar="N")
    adversarial_weight: float = option(
        WEIGHT, 0.0, help="of dmd2: of a head that tells real pictures from the student's; the paper's is 0.005"
    )
    data: Path | None = option(
        Place(), None, help="of dmd2 with a head: a folder with fox.jpg beside fox.txt, …", metavar="FOLDER"
    )
    dtype: Literal["float32", "bfloat16"] | None = option(
        Choice(("float32", "bfloat16")), None, help="of the teacher; without it float32 on a CPU, else bfloat16"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "dmdr" and not self.reward:
            raise ValueError("dmdr learns from rewards: give a reward, or choose decoupled-dmd")
        if self.method != "dmdr" and self.reward:
            raise ValueError(f"{self.method} learns from no reward: choose dmdr, or leave the reward out")
        if self.adversarial_weight and self.method != "dmd2":
            raise ValueError(f"adversarial_weight: {self.method} has no head: choose dmd2, or 0")
        if (self.adversarial_weight > 0) != (self.data is not None):
            raise ValueError("the head learns from real pictures: give both data and adversarial_weight, or neither")
        if self.method == "dmdr" and self.nfe == 1 and self.through == "grpo":
            raise ValueError("through: a student of one step decides nothing on its way: choose nft or dpo")


def read_distillation(file: Path | None, changes: Mapping[str, object]) -> DistillationConfig:
    """The config of a recipe, with `changes` instead of what it says, or of `changes` alone.

    Raises ValueError with one sentence that names the key that is unknown, missing or of a wrong type.
    """
    return config_in(file, DistillationConfig, changes, "a student is distilled")
