"""A base model becomes one of few steps: a student learns from its teacher, held by a score of what it makes itself.

All three are one resident transformer in different roles (`trainables/roles.py`). A turn is some updates of the fake
score, then one of the student, each a step of the runner: so a run stops, resumes and is saved between any two, and
the optimizer leaves alone what has no gradient in a step.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...model.sequence import padded_length
from ..distributed import ONE_PROCESS, Processes, SharedRows
from ..loop.batches import token_count
from ..loop.ema import Ema
from ..loop.order import chosen_examples
from ..loop.runner import Recipe
from ..objectives.adversarial import losses_if_made, losses_if_real, with_gradient
from ..objectives.decoupled import DecoupledDmd, decoupled_dmd, regression_losses
from ..objectives.dmd2 import dmd2
from ..objectives.dmdr import Dmdr
from ..objectives.flow_matching import flow_matching_losses
from ..objectives.matching_levels import HIGHEST, LOWEST, draw_levels, drawn_like, per_item, renoised
from ..prompted_roles import PromptedRoles
from ..trainables import Roles
from .adversary import AdversarialHead, MiddleTokens, Reals, value_and_gradient
from .rollouts import Grid, dynamic_grid, fixed_grid, rollout

STUDENT, FAKE = "student", "fake"

Rewarded = Callable[[int, torch.Generator], Iterator[Tensor]]  # parts of the loss of a prompt's rewarded pictures


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """What an update is made of."""

    cells: tuple[int, int]  # height and width of the latents
    cfg: float = 4.0  # the teacher's guidance
    method: Literal["decoupled-dmd", "dmd2", "dmdr"] = "decoupled-dmd"
    dmd: DecoupledDmd = field(default_factory=DecoupledDmd)
    dmdr: Dmdr | None = None  # of the method of that name
    adversarial_weight: float = 0.0  # of dmd2's head; 0 asks none
    nfe: int = 8
    shift: float = 3.0  # of the student's grids toward noise
    grid: Literal["dynamic", "fixed"] = "dynamic"
    renoised: float = 0.3  # share of rollouts that noise each prediction anew; the others are Euler's
    fake_updates: int = 5  # before each update of the student
    batch: int = 1
    token_budget: int = 4608
    saves_memory: bool = True

    def __post_init__(self) -> None:
        if (self.method == "dmdr") != (self.dmdr is not None):
            raise ValueError(f"only dmdr has rewards, and needs them: the method is {self.method}")
        if self.method == "dmdr" and self.dmd.levels == "shared":
            raise ValueError("dmdr draws the levels of DM by themselves: choose levels that are not shared")
        if self.adversarial_weight and self.method != "dmd2":
            raise ValueError(f"the adversarial head is dmd2's: choose that method in place of {self.method}, or 0")
        if self.method == "dmd2" or self.dmd.dm_weight:
            if self.fake_updates < 1:
                raise ValueError("the fake score has to learn what it is compared with: choose 1 or more updates of it")
        elif self.fake_updates:
            raise ValueError("nothing is compared with the fake score: choose 0 updates of it")

    @property
    def turn(self) -> int:
        """Steps of the runner for one update of the student."""
        return self.fake_updates + 1

    def role_at(self, step: int) -> str:
        """Who learns in a step of the runner."""
        return STUDENT if step % self.turn == self.fake_updates else FAKE

    def target(
        self, x0: Tensor, networks: "Networks", sigma: Float[Tensor, " b"], generator: torch.Generator, update: int
    ) -> Float[Tensor, "b c h w"]:
        """Where predictions of the student, which was fed at `sigma`, should go in an update of it."""
        asked = networks.teacher, networks.teacher_uncond, networks.fake
        if self.method == "dmd2":
            return dmd2(x0, *asked, cfg=self.cfg, generator=generator)
        sigma_dm = None
        if self.dmdr:
            networks.shared, sigma_dm = self.dmdr.shared_at(update), self.dmdr.draw_levels(len(x0), update, generator)
        return decoupled_dmd(
            x0, *asked, sigma_k=sigma, cfg=self.cfg, generator=generator, options=self.dmd, sigma_dm=sigma_dm
        ).target


@dataclass(frozen=True, kw_only=True)
class TwoRates(Recipe):
    """A recipe whose steps are those of both roles; the fake score has a learning rate of its own."""

    fake_lr: float
    turn: int  # steps, of which the last is the student's

    def lr_at(self, step: int) -> float:
        rate = super().lr_at(step)
        return rate if step % self.turn == self.turn - 1 else rate * self.fake_lr / self.lr


class StudentsEma(Ema):
    """An average that moves where the student did, and counts the student's updates alone."""

    def __init__(self, roles: Roles, decay: float, turn: int) -> None:
        super().__init__(roles, decay)
        self.turn = turn

    def update(self, step: int) -> None:
        if step % self.turn == self.turn - 1:
            super().update(step // self.turn)


class Networks(PromptedRoles):
    """Student, fake score and teacher over a batch of prompts."""

    shared = 0.0  # of the fake score's adapter, with which the teacher computes (DMDR)

    def of_items(self, x: Tensor, sigma: Tensor, items: Tensor) -> Tensor:
        """What the student predicts for some items of the batch."""
        condition = self.condition._replace(caption=self.condition.caption[items])
        return self.predicted(STUDENT, condition, x, sigma)

    def teacher(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The teacher's clean prediction."""
        return clean(x, sigma, self.predicted(self._teacher, self.condition, x, sigma, self.shared or 1.0))

    def teacher_uncond(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The teacher's, without a prompt."""
        return clean(x, sigma, self.predicted(self._teacher, self.no_condition, x, sigma, self.shared or 1.0))

    def fake(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The fake score's clean prediction."""
        return clean(x, sigma, self.velocity(FAKE, x, sigma))

    def logits(self, x0: Float[Tensor, "b c h w"], generator: torch.Generator) -> Float[Tensor, " b"]:
        """What the adversarial head says of pictures, each noised to a level of its own."""
        sigma = everywhere(len(x0), generator).to(x0.device)
        x, seen = renoised(x0, sigma, drawn_like(x0, generator)), self.middle_tokens(goes_on=False)
        self.predicted(FAKE, self.condition, x, sigma, run=seen)
        return self.judged(seen, x.flatten(1).sum(1))

    def middle_tokens(self, *, goes_on: bool) -> MiddleTokens:
        """Runs blocks in a call of the network, and keeps what the head reads."""
        return MiddleTokens(self.run, self.condition, self.dit.config.n_layers, goes_on=goes_on)

    def judged(self, seen: MiddleTokens, like: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The head's logits of what was kept; as many as `like`."""
        head = self.roles.head
        assert isinstance(head, AdversarialHead)
        if self.shared_rows.processes.count == 1:
            assert seen.tokens is not None
            return head(seen.tokens)
        return self.shared_rows.computed(lambda rows: head(seen.tokens), like)

    @property
    def _teacher(self) -> str | None:
        return FAKE if self.shared else None


def clean(x: Float[Tensor, "b c h w"], sigma: Float[Tensor, " b"], velocity: Tensor) -> Float[Tensor, "b c h w"]:
    """x0 = x - sigma·velocity, in float32."""
    return x.float() - per_item(sigma, x) * velocity.float()


def distillation_step(
    dit: S3DiT,
    roles: Roles,
    captions: Sequence[Float[Tensor, "_ f"]],
    no_caption: Float[Tensor, "_ f"],
    step_of: Distillation,
    seed: int,
    step: int,
    generator: torch.Generator,
    rewarded: Rewarded | None = None,
    reals: Reals | None = None,
    processes: Processes = ONE_PROCESS,
) -> Iterator[Tensor]:
    """The loss of whoever learns in this step, in parts: their sum is the mean over the step's prompts.

    Of DMDR `rewarded` are the losses of a prompt's pictures. Of DMD2 with a head the `reals` are as many real pictures.
    """
    is_students, update = step_of.role_at(step) == STUDENT, step // step_of.turn
    losses_of = partial(student_losses, update=update) if is_students else fake_losses
    indices = chosen_examples(step, step_of.batch, len(captions), seed)
    chosen = [captions[index] for index in indices]
    for places, networks in networks_of_groups(dit, roles, chosen, no_caption, step_of, processes):
        losses = losses_of(networks, step_of, len(places), generator)
        yield from networks.shared_rows.parts(losses, len(indices))
    if reals and step_of.adversarial_weight and not is_students:
        yield from real_losses(dit, roles, reals, no_caption, step_of, seed, step, generator, processes)
    if is_students and step_of.dmdr and rewarded and (weight := step_of.dmdr.weight_at(update)):
        for index in indices:
            yield from (weight / len(indices) * loss for loss in rewarded(index, generator))


def networks_of_groups(
    dit: S3DiT,
    roles: Roles,
    captions: Sequence[Float[Tensor, "_ f"]],
    no_caption: Float[Tensor, "_ f"],
    step_of: Distillation,
    processes: Processes,
) -> Iterator[tuple[list[int], Networks]]:
    """For each group of prompts their places, and the networks over them, whose rows the processes share."""
    for places in prompt_groups(captions, step_of):
        group, shared = [captions[place] for place in places], SharedRows(processes=processes, first=places[0])
        yield (
            places,
            Networks(dit, roles, group, no_caption, step_of.cells, saves_memory=step_of.saves_memory, shared=shared),
        )


def prompt_groups(captions: Sequence[Float[Tensor, "_ f"]], step_of: Distillation) -> Iterator[list[int]]:
    """Places of prompts that pad to one length, within the budget of tokens."""
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, caption in enumerate(captions):
        by_length[padded_length(len(caption))].append(place)
    for length, group in sorted(by_length.items(), reverse=True):
        size = max(1, step_of.token_budget // token_count(step_of.cells, length))
        yield from (group[first : first + size] for first in range(0, len(group), size))


def student_losses(
    networks: Networks, step_of: Distillation, n_items: int, generator: torch.Generator, update: int = 0
) -> Float[Tensor, " b"]:
    """Regression of the student's prediction to where distribution matching sends it."""
    x, sigma = fed_latents(networks, step_of, n_items, generator)
    x0 = clean(x, sigma, networks.velocity(STUDENT, x, sigma))
    with torch.no_grad():
        target = step_of.target(x0, networks, sigma, generator, update)
    losses = regression_losses(x0, target)
    if weight := step_of.adversarial_weight:
        found = value_and_gradient(lambda made: losses_if_real(networks.logits(made, generator)), x0)
        losses = losses + weight * with_gradient(*found, x0)
    networks.roles.set_role(STUDENT)  # blocks are computed again when gradients pass
    return losses


def fake_losses(
    networks: Networks, step_of: Distillation, n_items: int, generator: torch.Generator
) -> Float[Tensor, " b"]:
    """Flow matching on what the student makes now; a head learns on the way that it is made."""
    x, sigma = fed_latents(networks, step_of, n_items, generator)
    with torch.no_grad():
        x0 = clean(x, sigma, networks.velocity(STUDENT, x, sigma))
    level = everywhere(n_items, generator).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0.device)
    if not (weight := step_of.adversarial_weight):
        return flow_matching_losses(partial(networks.velocity, FAKE), x0, noise, level)
    seen = networks.middle_tokens(goes_on=True)
    velocity = partial(networks.predicted, FAKE, networks.condition, run=seen)
    return flow_matching_losses(velocity, x0, noise, level) + weight * losses_if_made(networks.judged(seen, level))


def real_losses(
    dit: S3DiT,
    roles: Roles,
    reals: Reals,
    no_caption: Float[Tensor, "_ f"],
    step_of: Distillation,
    seed: int,
    step: int,
    generator: torch.Generator,
    processes: Processes,
) -> Iterator[Float[Tensor, ""]]:
    """What head and fake score learn of a step's real pictures, each with one of its captions, in parts."""
    chosen = [reals.examples[index] for index in chosen_examples(step, step_of.batch, len(reals.examples), seed)]
    drawn = [(each.picture.draw(generator), each.draw_caption(generator)) for each in chosen]
    captions = [caption for _, caption in drawn]
    for places, networks in networks_of_groups(dit, roles, captions, no_caption, step_of, processes):
        x0 = torch.stack([drawn[place][0] for place in places]).to(networks.condition.caption.device)
        losses = step_of.adversarial_weight * losses_if_real(networks.logits(x0, generator))
        yield from networks.shared_rows.parts(losses, len(drawn))


def everywhere(n_items: int, generator: torch.Generator) -> Float[Tensor, " n"]:
    """A level for each item, from the whole range."""
    return draw_levels(torch.full((n_items,), HIGHEST), LOWEST, generator)


def fed_latents(
    networks: Networks, step_of: Distillation, n_items: int, generator: torch.Generator
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, " b"]]:
    """Latents that the student has come to from noise, and their levels."""
    make: Callable[[int, int, float, torch.Generator], Grid]
    make = dynamic_grid if step_of.grid == "dynamic" else fixed_grid
    grid = make(n_items, step_of.nfe, step_of.shift, generator)
    is_renoised = torch.rand(n_items, generator=generator) < step_of.renoised
    device, channels = networks.condition.caption.device, networks.dit.config.in_channels
    noise = torch.randn(n_items, channels, *step_of.cells, generator=generator).to(device)
    return rollout(networks.of_items, noise, grid, is_renoised, generator), grid.sigma.to(device)
