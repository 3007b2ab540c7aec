"""Bar chart of a benchmark run, drawn with matplotlib if it is installed."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Measurement


def plot(measurements: Sequence[Measurement], path: Path) -> str:
    """Draw every system's time relative to ours; returns a status message."""
    if importlib.util.find_spec("matplotlib") is None:
        return "no plot: matplotlib is not installed; `pip install matplotlib` and run again for one"
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    workloads = list(dict.fromkeys(each.inputs.workload for each in measurements))
    names = list(dict.fromkeys(each.name for each in measurements))
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.18 * len(measurements)), layout="constrained")
    for index, name in enumerate(names):
        bars = [(workloads.index(each.inputs.workload), each.ratio) for each in measurements if each.name == name]
        positions = [position + 0.8 * (index / len(names) - 0.5) for position, _ in bars]
        medians = [ratio.median for _, ratio in bars]
        spread = [[r.median - r.low for _, r in bars], [r.high - r.median for _, r in bars]]
        axes.barh(positions, medians, 0.8 / len(names), align="edge", xerr=spread, label=name)
    axes.set_yticks(range(len(workloads)), [f"{workload.part}: {workload.describe()}" for workload in workloads])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time over ours, median of paired rounds with its 95 % interval")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return f"plot: {path}"
