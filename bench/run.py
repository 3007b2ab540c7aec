"""The measuring mode: who takes part, one table of all cells."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from tqdm import tqdm

from . import machine
from .cells import Cell
from .contest import Contestant, System
from .counts import MakeSystem
from .measure import Measured, measure
from .plan import Planned
from .random_weights import Inputs, Weights, draw_inputs
from .referee import describe, exact_result
from .systems.comfyui import ComfyUI, ComfyUIMissing, import_comfyui, version
from .systems.ours import Ours
from .table import duration, size, table
from .timing import Pace
from .variants import VARIANTS

Note = Callable[[str], None]  # tells a sentence that belongs beside the table
Enter = Callable[[], Contestant]

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


def peers(device: torch.device, note: Note) -> list[MakeSystem]:
    """The peers that can run here; one that cannot is named."""
    return [*_diffusers(device, note), *_comfyui(device, note)]


def _diffusers(device: torch.device, note: Note) -> list[MakeSystem]:
    try:
        from .systems.diffusers import Diffusers, diffusers_best
    except ImportError as reason:
        note(f"diffusers is left out: {reason}")
        return []
    return [Diffusers, diffusers_best] if device.type == "cuda" else [Diffusers]


def _comfyui(device: torch.device, note: Note) -> list[MakeSystem]:
    try:
        import_comfyui(device)
    except (ComfyUIMissing, ImportError) as reason:
        note(f"ComfyUI is left out: {reason}")
        return []
    return [ComfyUI]


def entries(
    inputs: Inputs, weights: Weights, makers: Sequence[MakeSystem], variants: Sequence[str]
) -> Iterator[tuple[str, Enter]]:
    """Who may take part: ours first, then ours otherwise, then the peers; each with a name for who only reads it."""
    part = inputs.cell.part

    def entered(system: System, name: str) -> Contestant:
        return Contestant(name, getattr(system, part)(inputs))

    yield "ours", lambda: entered(Ours(weights), "ours")
    if part == "transformer":
        yield "ours, whole forward", lambda: Contestant("ours, whole forward", Ours(weights).forward(inputs))
    for name in variants:
        if part in VARIANTS[name].parts and (inputs.latents.is_cuda or not VARIANTS[name].needs_card):
            yield f"ours, {name}", partial(_otherwise, inputs, weights, name)
    for make in makers:
        yield make.__name__.replace("_", " "), lambda make=make: entered((system := make(weights)), system.name)


def _otherwise(inputs: Inputs, weights: Weights, name: str) -> Contestant:
    """One variant of ours."""
    variant = VARIANTS[name]
    system = Ours(weights, variant)
    with variant.scope():
        run = getattr(system, inputs.cell.part)(inputs)
    label = f"ours, {name}" + (" (lossy)" if variant.is_lossy else "")
    return Contestant(label, run, variant.scope, system.forget)


def able(candidates: Iterable[tuple[str, Enter]], cell: Cell, note: Note) -> list[Contestant]:
    """Those that get through a run. The first must, as all are compared with it; of others the reason is told."""
    (_, enter), *others = candidates
    ours = _entered(enter)
    tried = [_tried(name, each, cell, note) for name, each in others]
    return [ours, *(each for each in tried if each is not None)]


@torch.inference_mode()
def _entered(enter: Enter) -> Contestant:
    contestant = enter()
    contestant.once()
    return contestant


def _tried(name: str, enter: Enter, cell: Cell, note: Note) -> Contestant | None:
    try:
        return _entered(enter)
    except Exception as reason:  # noqa: BLE001 - a compiler's failure has any type, and the others can be measured
        sentence = str(reason).strip().partition("\n")[0] or type(reason).__name__
    note(f"{name} is left out of {cell.part}, {cell.describe()}: {sentence}")
    free()
    return None


def measure_all(
    planned: Sequence[Planned],
    weights: Weights,
    makers: Sequence[MakeSystem],
    variants: Sequence[str],
    pace: Pace,
    peak_flops: float,
    note: Note,
) -> list[Measured]:
    """Every planned cell for which there is time; what one leaves behind is gone before the next begins."""
    setup = weights.setup
    deadline = time.perf_counter() + pace.seconds
    found: list[Measured] = []
    for index, plan in enumerate(tqdm(planned, desc="cells")):
        left = deadline - time.perf_counter()
        if found and plan.fewest > left:
            note(f"left out: {plan.cell.part}, {plan.cell.describe()}: {left:.0f} s were left")
            continue
        torch.compiler.reset()  # a compiled peer specialises on every cell's shapes anew, as it would for a user
        inputs = draw_inputs(plan.cell, setup)
        exact = exact_result(inputs, weights)
        entered = able(entries(inputs, weights, makers, variants), plan.cell, note)
        kept = sum(each.fewest for each in planned[index + 1 :])
        cell_pace = replace(pace, seconds=min(plan.seconds, left - kept), least=plan.rounds)
        cell_found = measure(entered, inputs, setup, cell_pace, peak_flops, exact)
        tqdm.write(results(cell_found))  # already now, should the rest be broken off
        found += cell_found
        del entered, exact
        free()
    return found


def free() -> None:
    """What is held by nobody goes back to the device."""
    gc.collect()
    torch.cuda.empty_cache()


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
        f"exact answers: {describe()}, in float32",
        f"command: `{command}`",
    ]
