"""Timing mode: build the runners of every system, measure all planned workloads, format the table."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from tqdm import tqdm

from . import machine
from .counts import SystemFactory
from .measure import Measurement, measure
from .plan import PlannedWorkload
from .random_weights import Inputs, Weights, draw_inputs
from .reference import describe_reference, reference_result
from .runner import Runner, System
from .systems.comfyui import ComfyUI, ComfyUIMissing, import_comfyui, version
from .systems.comfyui_int8 import FORMAT, ComfyUIInt8
from .systems.ours import Ours
from .table import duration, size, table
from .timing import TimeBudget
from .variants import VARIANTS
from .workloads import PARTS, Workload

Note = Callable[[str], None]  # receives a remark for the report
RunnerFactory = Callable[[], Runner]

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


def peers(device: torch.device, note: Note) -> list[SystemFactory]:
    """The other systems available on this machine; unavailable ones are noted."""
    return [*_diffusers(device, note), *_comfyui(device, note)]


def _diffusers(device: torch.device, note: Note) -> list[SystemFactory]:
    try:
        from .systems.diffusers import Diffusers, diffusers_best
    except ImportError as reason:
        note(f"diffusers is left out: {reason}")
        return []
    return [Diffusers, diffusers_best] if device.type == "cuda" else [Diffusers]


def _comfyui(device: torch.device, note: Note) -> list[SystemFactory]:
    try:
        comfy = import_comfyui(device)
    except (ComfyUIMissing, ImportError) as reason:
        note(f"ComfyUI is left out: {reason}")
        return []
    return [ComfyUI, ComfyUIInt8] if FORMAT in comfy.quant_ops.QUANT_ALGOS else [ComfyUI]


def runner_factories(
    inputs: Inputs, weights: Weights, factories: Sequence[SystemFactory], variants: Sequence[str]
) -> Iterator[tuple[str, RunnerFactory]]:
    """Names and factories of the runners: ours first, then our variants, then the other systems."""
    part = inputs.workload.part

    def runner_of(system: System, name: str) -> Runner:
        return Runner(name, getattr(system, part)(inputs))

    yield "ours", lambda: runner_of(Ours(weights), "ours")
    if part == "transformer":
        yield "ours, whole forward", lambda: Runner("ours, whole forward", Ours(weights).forward(inputs))
    for name in variants:
        if part in VARIANTS[name].parts and (inputs.latents.is_cuda or not VARIANTS[name].needs_cuda):
            yield f"ours, {name}", partial(_variant_runner, inputs, weights, name)
    for make_system in factories:
        if part not in getattr(make_system, "parts", PARTS):
            continue
        yield (
            make_system.__name__.replace("_", " "),
            lambda make_system=make_system: runner_of((system := make_system(weights)), system.name),
        )


def _variant_runner(inputs: Inputs, weights: Weights, name: str) -> Runner:
    """The runner of one of our variants."""
    variant = VARIANTS[name]
    system = Ours(weights, variant)
    with variant.scope():
        run = getattr(system, inputs.workload.part)(inputs)
    label = f"ours, {name}" + (" (lossy)" if variant.is_lossy else "")
    return Runner(label, run, variant.scope, system.release)


def working_runners(candidates: Iterable[tuple[str, RunnerFactory]], workload: Workload, note: Note) -> list[Runner]:
    """Runners that complete a trial run. The first, as the baseline, must succeed; failures of others are noted."""
    (_, build), *others = candidates
    ours = _build_and_try(build)
    tried = [_build_or_skip(name, each, workload, note) for name, each in others]
    return [ours, *(each for each in tried if each is not None)]


@torch.inference_mode()
def _build_and_try(build: RunnerFactory) -> Runner:
    runner = build()
    runner.run_once()
    return runner


def _build_or_skip(name: str, build: RunnerFactory, workload: Workload, note: Note) -> Runner | None:
    try:
        return _build_and_try(build)
    except Exception as reason:  # noqa: BLE001 - compilers raise any exception type; the other runners can still be measured
        sentence = str(reason).strip().partition("\n")[0] or type(reason).__name__
    note(f"{name} is left out of {workload.part}, {workload.describe()}: {sentence}")
    release_memory()
    return None


def measure_all(
    planned: Sequence[PlannedWorkload],
    weights: Weights,
    factories: Sequence[SystemFactory],
    variants: Sequence[str],
    budget: TimeBudget,
    peak_flops: float,
    note: Note,
) -> list[Measurement]:
    """Measure the planned workloads while time remains; memory is released between workloads."""
    setup = weights.setup
    deadline = time.perf_counter() + budget.seconds
    measurements: list[Measurement] = []
    for index, plan in enumerate(tqdm(planned, desc="cells")):
        left = deadline - time.perf_counter()
        if measurements and plan.min_seconds > left:
            note(f"left out: {plan.workload.part}, {plan.workload.describe()}: {left:.0f} s were left")
            continue
        torch.compiler.reset()  # compiled systems specialize on each workload's shapes, as they would for a user
        inputs = draw_inputs(plan.workload, setup)
        reference = reference_result(inputs, weights)
        runners = working_runners(runner_factories(inputs, weights, factories, variants), plan.workload, note)
        reserved = sum(each.min_seconds for each in planned[index + 1 :])
        workload_budget = replace(budget, seconds=min(plan.seconds, left - reserved), min_rounds=plan.min_rounds)
        new = measure(runners, inputs, setup, workload_budget, peak_flops, reference)
        tqdm.write(results(new))  # print now, in case the run is interrupted
        measurements += new
        del runners, reference
        release_memory()
    return measurements


def release_memory() -> None:
    """Collect garbage and return unused cached memory to the device."""
    gc.collect()
    torch.cuda.empty_cache()


def results(measurements: Sequence[Measurement]) -> str:
    """The table of all measurements."""
    return table(HEADER, [row(each) for each in measurements])


def row(each: Measurement) -> tuple[str, ...]:
    """Table row of one runner on one workload."""
    workload, ratio = each.inputs.workload, each.ratio
    is_ours = ratio.low == ratio.high == 1.0
    return (
        f"{workload.part}: {workload.describe()}",
        each.name,
        str(workload.nfe) if workload.part in ("transformer", "picture") else "–",
        tokens(workload),
        duration(each.time),
        "1" if is_ours else f"{ratio.median:.3f}",
        "" if is_ours else f"{ratio.low:.3f}–{ratio.high:.3f}",
        str(len(each.seconds)),
        size(each.peak_memory.allocated),
        "–" if each.peak_memory.reserved is None else size(each.peak_memory.reserved),
        f"{each.mfu:.0%}",
        "–" if each.deviation is None else f"{each.deviation.relative_l2:.2e}",
        "–" if each.deviation is None else f"{each.deviation.cosine:.6f}",
    )


def tokens(workload: Workload) -> str:
    """Input size of the part, per item."""
    match workload.part:
        case "text":
            return str(workload.caption)
        case "decode":
            return f"{workload.latent_size[0]}·{workload.latent_size[1]} cells"
        case _:
            return f"{workload.image_tokens}+{workload.caption_tokens}"


def preamble(weights: Weights, peak_flops: float, command: str) -> list[str]:
    """Lines above the table: machine, versions, precision, reference and command."""
    setup = weights.setup
    return [
        f"machine: {machine.describe(setup.device)}; a plain product runs at {peak_flops / 1e12:.3g} TFLOP/s now",
        f"versions: {machine.versions()}, {version()}; {machine.precision_settings(setup.device)}",
        f"precision: {setup.dtype}".replace("torch.", "") + f"; depth: {setup.depth}",
        f"exact answers: {describe_reference()}, in float32",
        f"command: `{command}`",
    ]
