"""A taste learned by the MODEL of a socket, from pairs or from a score, in ComfyUI's queue as every training is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from comfy import model_management

from .....zimage_core.data.preferences import Preference
from .....zimage_core.recipes import PreferenceConfig
from .....zimage_core.recipes.preference_config import FROM_PAIRS, read_preference
from .....zimage_core.training.memory.roles_plan import policy_plan
from .....zimage_core.training.preference.pair_files import lines_of, read_pairs
from .....zimage_core.training.preference.policy_run import learned_from, policy_run
from .....zimage_core.training.preference.policy_run import prompts_of as prompts_of_data
from .....zimage_core.training.rewards.reward import Reward, request_of
from .....zimage_core.training.turbo import is_turbo, refuse_turbo_for_pairs
from .. import scores
from .encoders import canvas_encoders
from .lora import LORAS
from .networks import (
    N_DRAWN,
    SIDE,
    Base,
    Networks,
    Prepared,
    base_of,
    cells_of,
    checked_cfg,
    interruptible,
    told,
    train_roles,
)
from .prompt_list import prompts_of
from .recipe import OF_THE_SOCKET
from .run import TRAINED, output_file, state_folder

METHODS = (FROM_PAIRS, "grpo", "nft")
NANO_RATE = 5e-4  # nano is tiny
FEW_STEPS = {"rule": "cps", "drawing_steps": 8}  # of Turbo, whose few steps stay


@dataclass(frozen=True, kw_only=True)
class PreferChoices:
    """The node's widgets; 0 takes what suits the model."""

    preferences: Path | None  # the file, of dpo
    method: Literal["dpo", "grpo", "nft"]
    prompts: str
    score: str
    training_steps: int
    name: str
    prompts_file: str
    seed: int
    learning_rate: float
    rank: int
    cfg: float
    batch_size: int
    resolution: int
    checked: int
    reader: str


@dataclass(frozen=True, kw_only=True)
class AskedTaste:
    """What a run of the node is to do."""

    base: Base
    config: PreferenceConfig
    data: Sequence[str] | Sequence[Preference]
    reward: Reward | None

    @property
    def identity(self) -> str:
        """A hash of everything that makes the run another one."""
        pairs = [each for each in self.data if isinstance(each, Preference)]
        return self.base.identity(asdict(self.config), lines_of(pairs) or prompts_of_data(self.data))

    @property
    def folder(self) -> Path:
        """Where its state lies."""
        return state_folder(self.config.out, self.identity)


def asked_of(networks: Networks, choices: PreferChoices) -> AskedTaste:
    """What the widgets mean for this model. Raises ValueError with one sentence for what cannot be learned."""
    base = base_of(networks)
    if choices.preferences:
        refuse_turbo_for_pairs(base.file)
        data, reward = read_pairs(choices.preferences), None
        more: dict[str, Any] = {"pairs": str(choices.preferences)}
    else:
        data = prompts_of(choices.prompts, choices.prompts_file, is_nano=base.is_nano)
        reward = Reward(scores=(scores.score_of(choices.score, choices.reader),), weights=(1.0,))
        scores.check_request(reward.scores[0], request_of(data[0]))
        more = {"prompts": OF_THE_SOCKET, "reward": [choices.score]}
        more |= FEW_STEPS if is_turbo(base.file) and choices.method == "grpo" else {}
    config = config_of(choices, prompts_of_data(data)[:N_DRAWN], base, more)
    return AskedTaste(base=base, config=config, data=data, reward=reward)


def config_of(choices: PreferChoices, drawn: Sequence[str], base: Base, more: dict[str, Any]) -> PreferenceConfig:
    """The widgets as a config; what they leave open is as on the command line."""
    given: dict[str, Any] = {"model": OF_THE_SOCKET, "method": choices.method, "seed": choices.seed, **more}
    given |= {"checked": choices.checked, "previews": list(drawn), "out": str(output_file(choices.name, LORAS))}
    given |= {"side": base.side(choices.resolution)}
    own = {
        "steps": choices.training_steps,
        "rank": choices.rank,
        "cfg": checked_cfg(choices.cfg),
        "batch": choices.batch_size,
    }
    own |= {"lr": choices.learning_rate or (NANO_RATE if base.is_nano else 0.0)}
    return read_preference(None, given | {key: value for key, value in own.items() if value})


def learn_taste(asked: AskedTaste) -> None:
    """Train, or go on, until the LoRA's file is there; does nothing if it is.

    Raises what ends an interrupted prompt, ValueError with one sentence for what cannot be learned.
    """
    train_roles(asked.base, asked.config.out, asked.identity, len(asked.data), partial(prepare, asked))


def prepare(asked: AskedTaste, bar: Any) -> Prepared:
    """Encode what is learned from, and what is drawn."""
    config = asked.config
    encoders = canvas_encoders(*asked.base.networks, asked.folder / "encoded")
    run = policy_run(
        *(config, asked.data, encoders, asked.base.teacher(bar), cells_of(config.side or SIDE), asked.folder),
        reward=asked.reward,
        run=interruptible,
        told={TRAINED: asked.identity},
    )
    learned = learned_from(run, encoders, config.pairs, partial(told, bar))
    plan_of = partial(policy_plan, config=config, tuning=run.tuning, cells=run.cells, caption_tokens=learned.longest())
    return Prepared(run, plan_of, partial(run.updates, learned=learned, on_part=unless_interrupted))


def unless_interrupted(what: str, done: int, of: int) -> None:
    """Raises what ends an interrupted prompt, after each picture that was drawn or learned from."""
    model_management.throw_exception_if_processing_interrupted()
