"""A plot of a run, where matplotlib is installed; the bench needs it for nothing else."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Measured


def plot(found: Sequence[Measured], path: Path) -> str:
    """Bars of every system's time over ours; a sentence says what became of it."""
    if importlib.util.find_spec("matplotlib") is None:
        return "no plot: matplotlib is not installed; `pip install matplotlib` and run again for one"
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    cells = list(dict.fromkeys(each.inputs.cell for each in found))
    names = list(dict.fromkeys(each.name for each in found))
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.18 * len(found)), layout="constrained")
    for index, name in enumerate(names):
        bars = [(cells.index(each.inputs.cell), each.ratio) for each in found if each.name == name]
        places = [place + 0.8 * (index / len(names) - 0.5) for place, _ in bars]
        medians = [ratio.median for _, ratio in bars]
        spread = [[r.median - r.low for _, r in bars], [r.high - r.median for _, r in bars]]
        axes.barh(places, medians, 0.8 / len(names), align="edge", xerr=spread, label=name)
    axes.set_yticks(range(len(cells)), [f"{cell.part}: {cell.describe()}" for cell in cells])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time over ours, median of paired rounds with its 95 % interval")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return f"plot: {path}"
