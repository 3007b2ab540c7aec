"""The memory plan of LoRAs that learn as roles of one resident base: a student and its fake score, or a policy.

An update asks the base and other roles without gradients, one after another; none of that is as large as what the role
that learns keeps for its gradients, so one step of it is what counts.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch

from ...config import DiTConfig
from ...recipes import DistillationConfig, PreferenceConfig
from ...runtime.byte_counts import transformer_bytes
from ...runtime.offload.plan import size_text
from ...runtime.offload.plan_inputs import Machine
from ..distillation.update import Distillation
from ..loop.batches import token_count
from ..preference.pair_lesson import PairTuning
from ..preference.reward_lesson import RewardTuning
from ..trainables import LoraTrainable
from .batch import Batch, batch_of
from .plan import PRECISIONS
from .remedies import in_one_line, what_is_free
from .step_bytes import step_bytes

TWO = 2  # pictures of a pair; adapters of a student and its fake score


@dataclass(frozen=True, kw_only=True)
class PlannedRoles:
    """What a plan is made from."""

    network: DiTConfig
    dtype: torch.dtype  # of the base; what learns is float32
    config: DistillationConfig | PreferenceConfig
    cells: tuple[int, int]  # height and width of the latents
    caption_tokens: int  # of the longest prompt
    count: int  # pictures at once
    has_others: bool  # in an update, so that their gradients are there meanwhile
    has_head: bool = False  # which reads the student's picture through half the blocks, while its own call is kept
    is_guided: bool = False  # with a second prediction, without a prompt, that has gradients too
    adapters: int
    learning: int  # of them; the others follow
    beside: int = 0  # bytes of the decoder of pictures

    @property
    def groups(self) -> list[Batch]:
        """What is held for gradients at once."""
        second = [1] if self.is_guided else [self.caption_tokens] if self.has_head else []
        return [batch_of(self.network, self.cells, tokens, self.count) for tokens in (self.caption_tokens, *second)]


@dataclass(frozen=True, kw_only=True)
class RolesPlan:
    """Bytes on the device, from the second update of each role on."""

    planned: PlannedRoles
    weights: int  # of the base
    learned: int  # all adapters with their averages, gradients of one, the optimizer's state of those that learn
    activations: int

    @property
    def peak(self) -> int:
        """All that is there at once."""
        return self.weights + self.learned + self.activations + self.planned.beside

    @property
    def lines(self) -> list[str]:
        """What it takes, and of what."""
        planned, batch = self.planned, self.planned.groups[0]
        rank = planned.config.rank
        what = f"2 LoRAs of rank {rank}" if planned.adapters == TWO else f"LoRA of rank {rank}"
        parts = (
            f"training takes {size_text(self.peak)}",
            f"base {size_text(self.weights)}",
            f"{what} with gradients, optimizer and average {size_text(self.learned)}",
            f"activations of {batch}, computed again in each block, {size_text(self.activations)}",
            f"autoencoder {size_text(planned.beside)}" if planned.beside else "",
        )
        return [each for each in parts if each]

    def beside(self, machine: Machine | None) -> list[str]:
        """What is free, where that can be told; where it is not enough, whether fewer pictures at once would fit."""
        return what_is_free(self.peak, machine, self._fitting)

    def _fitting(self, machine: Machine) -> list[str]:
        least = roles_plan(replace(self.planned, count=TWO if self.planned.config.method == "dpo" else 1))
        return [f"fewer pictures at once ({size_text(least.peak)})"] if least.peak <= machine.budget else []

    def told(self, machine: Machine | None) -> str:
        """In one line."""
        return in_one_line(self, self.beside(machine))

    def __str__(self) -> str:
        first, *parts = self.lines
        return f"{first}: {'; '.join(parts)}"


def student_plan(
    network: DiTConfig,
    dtype: torch.dtype,
    config: DistillationConfig,
    step_of: Distillation,
    caption_tokens: int,
    decoder: int = 0,
) -> RolesPlan:
    """Of a distillation. The step is run on the meta device; nothing is loaded."""
    fitting = step_of.token_budget // token_count(step_of.cells, caption_tokens)
    return roles_plan(
        PlannedRoles(
            network=network,
            dtype=dtype,
            config=config,
            cells=step_of.cells,
            caption_tokens=caption_tokens,
            count=min(step_of.batch, max(1, fitting)),
            has_others=step_of.batch > 1,
            has_head=step_of.adversarial_weight > 0,
            adapters=2,
            learning=2,
            beside=decoder,
        )
    )


def policy_plan(
    network: DiTConfig,
    dtype: torch.dtype,
    config: PreferenceConfig,
    tuning: RewardTuning | PairTuning,
    cells: tuple[int, int],
    caption_tokens: int,
    decoder: int = 0,
) -> RolesPlan:
    """Of learning from rewards or pairs. The step is run on the meta device; nothing is loaded."""
    planned = partial(
        PlannedRoles,
        network=network,
        dtype=dtype,
        config=config,
        cells=cells,
        caption_tokens=caption_tokens,
        has_others=True,
        learning=1,
        beside=decoder,
    )
    if isinstance(tuning, PairTuning):
        return roles_plan(planned(count=TWO, adapters=1))
    fitting = max(1, tuning.token_budget // token_count(cells, caption_tokens))
    is_guided = tuning.method == "grpo" and tuning.drawing.cfg > 1
    return roles_plan(planned(count=min(tuning.group, fitting), is_guided=is_guided, adapters=2))


def roles_plan(planned: PlannedRoles) -> RolesPlan:
    """What the roles take together."""
    step = step_bytes(
        planned.network,
        [each.group for each in planned.groups],
        partial(LoraTrainable, rank=planned.config.rank, alpha=1.0, generator=torch.Generator()),
        planned.config.optimizer,
        dtype=planned.dtype,
    )
    precision, gradients = PRECISIONS[planned.dtype], step.learned
    before = step.before + (gradients if planned.has_others else 0)
    return RolesPlan(
        planned=planned,
        weights=transformer_bytes(planned.network, precision, precision).total,
        learned=2 * planned.adapters * step.learned + gradients + planned.learning * step.moments,
        activations=max(0, max(before, step.after) - gradients),
    )
