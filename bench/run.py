"""The measuring mode: who takes part, one table of all cells."""

import gc
from collections.abc import Sequence

import torch
from tqdm import tqdm

from . import machine
from .cells import Cell
from .contest import Contestant, System
from .counts import MakeSystem
from .measure import Measured, exact_result, measure
from .plan import Planned
from .systems.comfyui import ComfyUI, ComfyUIMissing, import_comfyui, version
from .systems.diffusers import Diffusers
from .systems.ours import Ours
from .table import duration, size, table
from .timing import Pace
from .variants import VARIANTS
from .weights import Inputs, Weights, draw_inputs

HEADER = (
    "cell",
    "system",
    "NFE",
    "tokens",
    "time",
    "÷ ours",
    "95 %",
    "rounds",
    "peak",
    "reserved",
    "MFU",
    "rel. L2",
    "cosine",
)


def peers(device: torch.device) -> list[MakeSystem]:
    """The peers that can run here; one that cannot is named."""
    makers: list[MakeSystem] = [Diffusers]
    if device.type == "cuda":
        makers.append(lambda weights: Diffusers(weights, is_best=True))
    try:
        import_comfyui(device)
        makers.append(ComfyUI)
    except ComfyUIMissing as reason:
        tqdm.write(f"ComfyUI is left out: {reason}")
    return makers


def contestants(
    inputs: Inputs, weights: Weights, makers: Sequence[MakeSystem], variants: Sequence[str]
) -> list[Contestant]:
    """Ours first, then ours otherwise, then the peers."""
    part = inputs.cell.part

    def enter(system: System, name: str | None = None) -> Contestant:
        return Contestant(name or system.name, getattr(system, part)(inputs))

    entered = [enter(Ours(weights))]
    if part == "transformer":
        entered.append(Contestant("ours, whole forward", Ours(weights).forward(inputs)))
    for name in variants:
        variant = VARIANTS[name]
        if part not in variant.parts or (variant.is_recorded and not inputs.latents.is_cuda):
            continue
        with variant.scope():
            label = f"ours, {name}" + (" (lossy)" if variant.is_lossy else "")
            entered.append(enter(Ours(weights, variant), label)._replace(scope=variant.scope))
    return entered + [enter(make(weights)) for make in makers]


def measure_all(
    planned: Sequence[Planned],
    weights: Weights,
    makers: Sequence[MakeSystem],
    variants: Sequence[str],
    pace: Pace,
    peak_flops: float,
) -> list[Measured]:
    """Every planned cell; what one leaves behind is gone before the next begins."""
    setup = weights.setup
    found: list[Measured] = []
    for plan in tqdm(planned, desc="cells"):
        torch.compiler.reset()  # a compiled peer specialises on every cell's shapes anew, as it would for a user
        inputs = draw_inputs(plan.cell, setup)
        exact = exact_result(inputs, weights)
        with torch.inference_mode():
            entered = contestants(inputs, weights, makers, variants)
        cell_pace = Pace(seconds=plan.seconds, warmups=pace.warmups, least=pace.least, most=pace.most)
        found += measure(entered, inputs, setup, cell_pace, peak_flops, exact)
        del entered, exact
        gc.collect()
        if setup.device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def results(found: Sequence[Measured]) -> str:
    """The one table."""
    return table(HEADER, [row(each) for each in found])


def row(each: Measured) -> tuple[str, ...]:
    """One contestant in one cell."""
    cell, ratio = each.inputs.cell, each.ratio
    is_ours = ratio.low == ratio.high == 1.0
    return (
        f"{cell.part}: {cell.describe()}",
        each.name,
        str(cell.nfe) if cell.part in ("transformer", "picture") else "–",
        tokens(cell),
        duration(each.time),
        "1" if is_ours else f"{ratio.median:.3f}",
        "" if is_ours else f"{ratio.low:.3f}–{ratio.high:.3f}",
        str(len(each.seconds)),
        size(each.peak.allocated),
        "–" if each.peak.reserved is None else size(each.peak.reserved),
        f"{each.utilisation:.0%}",
        "–" if each.drift is None else f"{each.drift.relative_l2:.2e}",
        "–" if each.drift is None else f"{each.drift.cosine:.6f}",
    )


def tokens(cell: Cell) -> str:
    """What the part works on, for one item."""
    match cell.part:
        case "text":
            return str(cell.caption)
        case "decode":
            return f"{cell.cells[0]}·{cell.cells[1]} cells"
        case _:
            return f"{cell.image_tokens}+{cell.caption_tokens}"


def preamble(weights: Weights, peak_flops: float, command: str) -> list[str]:
    """Everything a reader must know to judge the figures."""
    setup = weights.setup
    return [
        f"machine: {machine.describe(setup.device)}; a plain product runs at {peak_flops / 1e12:.3g} TFLOP/s now",
        f"versions: {machine.versions()}, {version()}; {machine.settings(setup.device)}",
        f"precision: {setup.dtype}".replace("torch.", "") + f"; depth: {setup.depth}",
        f"command: `{command}`",
    ]
