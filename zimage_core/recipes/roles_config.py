"""What is asked wherever LoRAs learn as roles of one base: a student and its fake score, or a policy."""

from dataclasses import dataclass
from typing import Literal

from .options import Config, option
from .training_config import MAX_SEED, MOST_STATES, MOST_STEPS, MOST_TOKENS
from .values import Choice, Number, Text, Whole

OPTIMIZERS = ("adamw", "adamw8bit")  # those that keep nothing of one role in what they keep of another
MOST_UPDATES, MOST_PICTURES, MOST_GROUP = 100, 1000, 256
WEIGHT = Number(0.0, 100.0, has_low=True)


@dataclass(frozen=True, kw_only=True)
class RolesConfig(Config):
    """Of the run and of the LoRA that is written; what a base draws is compared with what is learned."""

    side: int | None = option(Whole(16, 4096), None, help="of the pictures; without it the model's own", metavar="PX")
    token_budget: int = option(Whole(1, MOST_TOKENS), 4608, help="tokens that run at once", metavar="N")
    alpha: float | None = option(Number(0.0, 1e4), None, help="without it the rank", metavar="A")
    optimizer: str = option(Choice(OPTIMIZERS), "adamw")
    clip: float = option(Number(0.0, 1e9), 1.0, help="largest norm of an update's gradient", metavar="N")
    keep: int = option(Whole(1, MOST_STATES), 1, help="saved states that stay, the newest among them", metavar="N")
    check_every: int | None = option(
        Whole(1, MOST_STEPS), None, help="updates between checks; without it a twentieth of all", metavar="N"
    )
    patience: int = option(
        Whole(0, 1000), 3, help="checks at which the same two numbers are worse, after which the run ends; 0 is never"
    )
    preview_every: int | None = option(
        Whole(1, MOST_STEPS), None, help="updates between previews; without it a fifth of all", metavar="N"
    )
    naming: Literal["ComfyUI", "diffusers"] = option(
        Choice(("ComfyUI", "diffusers")), "ComfyUI", help="of the file's tensors"
    )
    seed: int = option(Whole(0, MAX_SEED), 0, metavar="N")
    device: str | None = option(
        Text(), None, help="cpu, cuda, cuda:1, xpu or mps; without it a GPU if there is one", metavar="D"
    )
