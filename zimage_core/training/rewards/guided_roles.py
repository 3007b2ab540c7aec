"""The velocity of a prompt in any role, with guidance: what rewarded pictures are drawn with and learned in."""

from torch import Tensor

from ..._shapes import Float
from ...model import Condition, S3DiT
from ...model.condition import RunBlock
from ...sampling import Guidance
from ..distributed import ALL_ROWS, SharedRows
from ..prompted_roles import PromptedRoles
from ..trainables import Roles


class GuidedRoles(PromptedRoles):
    """Roles over pictures of one prompt, in float32."""

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
        shared: SharedRows = ALL_ROWS,
    ) -> None:
        super().__init__(dit, roles, [caption], no_caption, cells, saves_memory=saves_memory, shared=shared)
        self.guidance = Guidance(cfg=cfg)

    def guided(self, role: str | None, x: Float[Tensor, "b c h w"], sigma: float) -> Tensor:
        """With guidance, whose two predictions both have gradients."""
        positive = self.velocity(role, x, sigma)
        if self.guidance.cfg <= 1:
            return positive
        return self.guidance(positive, self.predicted(role, self.no_condition, x, sigma))

    def predicted(
        self,
        role: str | None,
        condition: Condition,
        x: Tensor,
        sigma: float | Tensor,
        strength: float = 1.0,
        run: RunBlock | None = None,
    ) -> Tensor:
        return super().predicted(role, condition, x, sigma, strength, run).float()
