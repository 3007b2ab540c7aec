"""The velocity of a prompt in any role, with guidance: what rewarded pictures are drawn with and learned in."""

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...model.condition import Condition, RunBlock, run_block
from ...sampling import Guidance
from ..objectives.noised import recomputed
from ..trainables import Roles


class GuidedRoles:
    """Roles over pictures of one prompt, whose condition is computed once for all of them.

    That holds while adapters are on the main layers alone: what refines captions is the base's.
    """

    def __init__(
        self,
        dit: S3DiT,
        roles: Roles,
        caption: Float[Tensor, "_ f"],
        no_caption: Float[Tensor, "_ f"],
        cells: tuple[int, int],
        cfg: float,
        *,
        saves_memory: bool = True,
    ) -> None:
        self.dit, self.roles, self.guidance = dit, roles, Guidance(cfg=cfg)
        self.run: RunBlock = recomputed(run_block) if saves_memory else run_block
        roles.set_role(None)
        with torch.no_grad():
            self.condition, self.no_condition = (
                dit.prepare([words.to(dit.x_pad_token)], cells) for words in (caption, no_caption)
            )

    def velocity(self, role: str | None, x: Float[Tensor, "b c h w"], sigma: float | Tensor) -> Tensor:
        """With the prompt alone, in float32; where gradients are kept, the role stays set."""
        return self._velocity(role, self.condition, x, sigma)

    def guided(self, role: str | None, x: Float[Tensor, "b c h w"], sigma: float) -> Tensor:
        """With guidance, whose two predictions both have gradients."""
        positive = self._velocity(role, self.condition, x, sigma)
        if self.guidance.cfg <= 1:
            return positive
        return self.guidance(positive, self._velocity(role, self.no_condition, x, sigma))

    def _velocity(self, role: str | None, condition: Condition, x: Tensor, sigma: float | Tensor) -> Tensor:
        self.roles.set_role(role)
        run = self.run if torch.is_grad_enabled() else run_block
        return self.dit.flow(condition, run=run)(x, sigma).float()
