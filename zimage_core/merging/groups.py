"""Groups of blocks whose weights are searched: as they are written, and a point of the search as factors for blocks."""

from collections.abc import Iterable, Sequence

from ..checkpoints import Strength
from ..checkpoints.lora.row_strength import parse_strength

N_PARTS = 3  # of the main layers, where no groups are written
REST = "rest"
MOST = 16


def groups_of(written: str, parameters: Iterable[str]) -> tuple[str, ...]:
    """Names of blocks, or three parts of the main layers and the rest. Raises ValueError with one sentence."""
    names = dict.fromkeys(written.replace(",", " ").split())
    every = [*parameters]
    groups = tuple(names) or (*_parts(len({each.split(".")[1] for each in every if each.startswith("layers.")})), REST)
    absent = strength_of(groups, [1.0] * len(groups)).without_block(every)
    if absent:
        raise ValueError(f"The model has no blocks {', '.join(absent)}. Write groups as: 0-9 10-19 noise_refiner rest")
    if len(groups) > MOST:
        raise ValueError(
            f"{len(groups)} groups are too many to search: write {MOST} at the most, such as 0-9 10-19 rest"
        )
    return groups


def check(written: str) -> None:
    """Raise ValueError with one sentence for what names no blocks, without a model."""
    names = written.replace(",", " ").split()
    if names:
        strength_of(names, [1.0] * len(names))


def blocks_of(groups: Sequence[str], point: Sequence[float]) -> str:
    """The factors for blocks of a point, as Z-Image Merge takes them; blocks in no group have none of the other."""
    both = [f"{group}={weight:g}" for group, weight in zip(groups, point, strict=True)]
    return " ".join(both if REST in groups else [*both, f"{REST}=0"])


def strength_of(groups: Sequence[str], point: Sequence[float]) -> Strength:
    """A point as the weight of the other model."""
    return parse_strength(1, f"1 blocks {blocks_of(groups, point)}")


def _parts(n_layers: int) -> list[str]:
    """The main layers in parts of about the same length."""
    edges = sorted({round(n_layers * part / N_PARTS) for part in range(N_PARTS + 1)})
    return [f"{first}-{last - 1}" for first, last in zip(edges, edges[1:], strict=False)]
