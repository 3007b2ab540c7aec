"""Roles over pictures of prompts whose conditions are computed once for all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._shapes import Float
from ..model import Condition, S3DiT
from ..model.condition import RunBlock, run_block
from .distributed import ALL_ROWS, SharedRows
from .objectives.noised import recomputed
from .trainables import Roles


class PromptedRoles:
    """One network in any role, with the prompts or without.

    That conditions are common holds while adapters are on the main layers alone: what refines captions is the base's.
    """

    def __init__(
        self,
        dit: S3DiT,
        roles: Roles,
        captions: Sequence[Float[Tensor, "_ f"]],
        no_caption: Float[Tensor, "_ f"],
        cells: tuple[int, int],
        *,
        saves_memory: bool = True,
        shared: SharedRows = ALL_ROWS,
    ) -> None:
        """Of several processes each computes its `shared` rows of a batch."""
        self.dit, self.roles, self.shared_rows = dit, roles, shared
        self.run: RunBlock = recomputed(run_block) if saves_memory else run_block
        like = dit.x_pad_token
        roles.set_role(None)
        with torch.no_grad():
            self.condition = dit.prepare([each.to(like) for each in captions], cells)
            self.no_condition = dit.prepare([no_caption.to(like)], cells)

    def velocity(self, role: str | None, x: Float[Tensor, "b c h w"], sigma: float | Tensor) -> Tensor:
        """With the prompts; where gradients are kept the role stays set, as blocks may be computed again."""
        return self.predicted(role, self.condition, x, sigma)

    def predicted(
        self,
        role: str | None,
        condition: Condition,
        x: Tensor,
        sigma: float | Tensor,
        strength: float = 1.0,
        run: RunBlock | None = None,
    ) -> Tensor:
        """The velocity in a role, or in a share of its adapter, under a condition; `run` replaces how blocks run."""
        self.roles.set_role(role, strength)
        run = run or (self.run if torch.is_grad_enabled() else run_block)
        if self.shared_rows.processes.count == 1:
            return self.dit.flow(condition, run=run)(x, sigma)
        return self.shared_rows.computed(lambda rows: self._of_rows(rows, condition, x, sigma, run), x)

    def _of_rows(
        self, rows: Tensor, condition: Condition, x: Tensor, sigma: float | Tensor, run: RunBlock
    ) -> Float[Tensor, "b c h w"]:
        """The velocity of some rows of a batch; a prompt that all share is one row."""
        if len(condition.caption) > 1:
            condition = condition._replace(caption=condition.caption[rows])
        if isinstance(sigma, Tensor) and sigma.numel() > 1:
            sigma = sigma[rows]
        return self.dit.flow(condition, run=run)(x[rows], sigma)
