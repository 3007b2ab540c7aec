"""`python -m bench.student_update`: what one update of a few-step student costs, beside diffusers' module with PEFT.

Both make the same updates of Decoupled DMD, the student's and the fake score's, on the same random weights in
float32, in rounds in which each makes one, with blocks computed again for their gradients. Seconds are the
processor's own, on one thread; bytes are those of tensors alive above weights and optimizer. Losses before the first
update have to agree.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch

from zimage_core.config import BASE_DIT, FLUX_VAE, QWEN3_4B, DiTConfig
from zimage_core.training.distillation.update import FAKE, STUDENT, Distillation

from . import machine
from .random_weights import Setup, State, Weights
from .systems.students import RANK, DiffusersStudent, OurStudent
from .table import append, duration, size, table
from .timing import paired_ratio
from .training import CAPTION, LOG, measured

HEADER = ("update of", "system", "÷ ours", "95 %", "time", "calls", "peak")
NFE = 1  # so that there is no rollout: its calls are the student's, without gradients


def rows(config: DiTConfig, state: State, rounds: int, step_of: Distillation) -> Iterator[tuple[str, ...]]:
    """Lines of the table."""
    caption = torch.randn(CAPTION, config.cap_feat_dim, generator=torch.Generator().manual_seed(1))
    systems = [make(config, state, step_of, caption) for make in (OurStudent, DiffusersStudent)]
    for role in (STUDENT, FAKE):
        before = [system.calls for system in systems]
        times, peaks = measured([partial(system.update, role) for system in systems], rounds)
        for system, done, taken, peak in zip(systems, before, times, peaks, strict=True):
            ratio = paired_ratio(taken, times[0])
            calls = (system.calls - done) // (rounds + 2)  # one to warm up, one whose bytes are counted
            interval = f"{ratio.low:.3f}–{ratio.high:.3f}"
            yield role, system.name, f"{ratio.median:.3f}", interval, duration(median(taken)), str(calls), size(peak)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.student_update", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", type=int, default=1, help="of the transformer")
    heads = BASE_DIT.n_heads
    parser.add_argument("--heads", type=int, default=heads, help=f"{heads} is full width; a multiple of 3")
    parser.add_argument("--side", type=int, default=128, help="of a picture, in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log", type=Path, default=LOG, help="where the table is appended")
    parser.add_argument("--no-log", action="store_true", help="print only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dim = options.heads * BASE_DIT.dim // BASE_DIT.n_heads
    config = replace(BASE_DIT, dim=dim, n_heads=options.heads, ffn_dim=dim * 8 // 3)
    config = replace(config, n_layers=options.layers, n_refiner_layers=1)
    state = Weights(Setup(dit=config, text=QWEN3_4B, vae=FLUX_VAE)).dit
    step_of = Distillation(cells=(options.side // 8, options.side // 8), nfe=NFE, grid="fixed", renoised=0.0)
    body = table(HEADER, list(rows(config, state, options.rounds, step_of)))
    lines = [
        f"machine: {machine.describe(torch.device('cpu'))}; versions: {machine.versions()}",
        f"Decoupled DMD, float32, {options.layers} layer of width {config.dim} and 1 + 1 refiners, "
        f"1 x {options.side} px, {CAPTION} tokens of caption, two LoRAs of rank {RANK}; one thread, "
        "the processor's own seconds",
        "the student is fed pure noise. Calls are the network's, each of one picture; of each update one "
        "has gradients, and its blocks are computed again",
        f"command: `{shlex.join(('python', '-m', 'bench.student_update', *sys.argv[1:]))}`",
    ]
    sys.stdout.write("\n".join((*lines, "", body, "")))
    if not options.no_log:
        append(options.log, "an update of a few-step student", lines, body)


if __name__ == "__main__":
    main()
