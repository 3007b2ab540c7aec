"""What is looked at while a network is trained: held-out losses that may end the run, previews, saved states."""

from dataclasses import dataclass
from pathlib import Path

from .loop.curve import read_curve
from .loop.state import saved_step
from .previews import Previews


@dataclass(frozen=True, kw_only=True)
class Watch:
    """None of it changes what a step learns."""

    patience: int | None = None  # validations without a better one, after which the run ends
    keep: int = 1  # saved states that stay
    previews: Previews | None = None


UNWATCHED = Watch()


class Validations:
    """The held-out losses of a run, those before its saved state among them."""

    def __init__(self, folder: Path, patience: int | None) -> None:
        done = saved_step(folder)
        rows = [(int(row["step"] or 0), row.get("validation")) for row in read_curve(folder)]
        self.losses = [float(loss) for step, loss in rows if step < done and loss is not None]
        self.patience = patience

    def add(self, loss: float) -> None:
        """The newest."""
        self.losses.append(loss)

    def have_stalled(self, _: int = 0) -> bool:
        """Whether none of the last `patience` is better than the best before them."""
        if self.patience is None or len(self.losses) <= self.patience:
            return False
        return min(self.losses[-self.patience :]) >= min(self.losses[: -self.patience])
