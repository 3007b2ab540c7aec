"""`python -m bench.training`: pictures per second and bytes of a LoRA step, beside diffusers with PEFT and ComfyUI.

All make the same step on the same random weights, noise and levels in float32, in rounds in which each makes one. A
step's time is the processor's own, on one thread, so that a busy machine does not lengthen it; bytes are those of
tensors alive above the weights and the optimizer's state. The losses before the first step have to agree.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from zimage_core.checkpoints import load_dit
from zimage_core.config import BASE_DIT, FLUX_VAE, QWEN3_4B, DiTConfig
from zimage_core.request import model_folder
from zimage_core.training.loop.batches import token_count
from zimage_core.training.loop.micro_batches import Noised

from . import machine
from .counter import Counter
from .random_weights import Setup, State, Weights
from .systems.comfyui import version
from .systems.trainers import (
    SYSTEMS,
    Autocast,
    Encoding,
    Full,
    FullAutocast,
    OneAtATime,
    Ours,
    Training,
    TrainingSystem,
    Unfrozen,
)
from .table import append, size, table
from .timing import paired_ratio

LOG = Path(__file__).parent / "log.md"
HEADER = ("case", "system", "÷ ours", "95 %", "pictures/s", "peak")
SIDE, BATCH, CAPTION = 128, 1, 60  # pixels, pictures, tokens
TOLERANCE = 1e-3  # of losses, one of which may be in bfloat16


class NotTheSame(RuntimeError):
    """Two systems have different losses, so their times cannot be compared."""


def examples(config: DiTConfig, side: int, batch: int) -> list[Noised]:
    """Random latents, noise, levels and captions."""
    generator = torch.Generator().manual_seed(side + batch)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    latent = config.in_channels, side // 8, side // 8
    return [
        Noised(normal(*latent), normal(*latent), level, normal(CAPTION, config.cap_feat_dim))
        for level in torch.rand(batch, generator=generator)
    ]


def measured(steps: Sequence[Callable[[], float]], count: int) -> tuple[list[list[float]], list[int]]:
    """Seconds by system and round, after one round to warm up, and peak bytes by system; the order turns.

    Each of the `steps` is one system's, and returns its loss.
    """
    losses = [step() for step in steps]
    if max(losses) - min(losses) > TOLERANCE * max(losses):
        raise NotTheSame(f"the losses before the first step are {losses}")
    times: list[list[float]] = [[] for _ in steps]
    for index in tqdm(range(count), leave=False):
        for position in range(len(steps)):
            which = (index + position) % len(steps)
            start = time.process_time()
            steps[which]()
            times[which].append(time.process_time() - start)
    return times, [peak_bytes(step) for step in steps]


def peak_bytes(step: Callable[[], float]) -> int:
    """Of one step."""
    with Counter() as counter:
        step()
    return counter.live.peak


def rows(
    case: str, names: Sequence[str], systems: Sequence[TrainingSystem], group: Sequence[Noised], count: int
) -> Iterator[tuple[str, ...]]:
    """Lines of the table; the first system is what the others are divided by."""
    times, peaks = measured([partial(system.step, group) for system in systems], count)
    for name, taken, peak in zip(names, times, peaks, strict=True):
        ratio = paired_ratio(taken, times[0])
        interval = f"{ratio.low:.3f}–{ratio.high:.3f}"
        yield case, name, f"{ratio.median:.3f}", interval, f"{len(group) / median(taken):.3g}", size(peak)


def beside_others(training: Training, state: State, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Every system that is installed, with and without checkpointing."""
    group = examples(training.config, options.side, options.batch)
    for is_checkpointed, case in ((True, "blocks computed again"), (False, "activations kept")):
        wanted = replace(training, is_checkpointed=is_checkpointed)
        systems = [made for make in SYSTEMS if (made := _installed(partial(make, wanted, state)))]
        yield from rows(case, [each.name for each in systems], systems, group, options.rounds)


def shares(training: Training, state: State, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """What each choice costs or saves, divided by ours with blocks computed again."""
    one = examples(training.config, options.side, options.batch)
    systems: dict[str, TrainingSystem] = {
        "ours": Ours(training, state),
        "activations kept": Ours(replace(training, is_checkpointed=False), state),
        "in bfloat16 (autocast)": Autocast(training, state),
        "lokr": Ours(replace(training, kind="lokr"), state),
        "dora": Ours(replace(training, kind="dora"), state),
        "pictures encoded in each step": Encoding(training, state, options.side),
    }
    yield from rows("share", [*systems], [*systems.values()], one, options.rounds)
    unfrozen = [Ours(training, state), Unfrozen(training, state)]  # alone, as it has weights of its own
    yield list(rows("share", ["ours", "also the base's gradients"], unfrozen, one, options.rounds))[-1]
    del unfrozen
    four, names = examples(training.config, options.side, 4), ["4 pictures at once", "4, token budget of one"]
    yield from rows("share", names, [Ours(training, state), OneAtATime(training, state)], four, options.rounds)


def compiled(training: Training, state: State, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """What compiled blocks and products in bfloat16 save, alone and together: all of nano, and a LoRA at full width.

    Bytes of compiled blocks are not counted, as the counter sees operations and not what is fused.
    """
    nano = load_dit(model_folder("nano") / "transformer", torch.float32)
    kept = replace(training, config=nano.config, is_checkpointed=False)
    whole = "all of nano", _ways(Full, FullAutocast, kept, nano.state_dict()), NANO_BATCH
    lora = "a LoRA", _ways(Ours, Autocast, training, state), options.batch
    for case, systems, batch in (whole, lora):
        group = examples(nano.config if case == whole[0] else training.config, options.side, batch)
        for row in rows(case, WAYS, systems, group, options.rounds):
            yield row if row[1] in WAYS[::2] else (*row[:-1], "")


WAYS = ("ours", "compiled", "in bfloat16 (autocast)", "in bfloat16, compiled")
NANO_BATCH = 16


def _ways(plain: type[Ours], autocast: type[Ours], training: Training, state: State) -> list[TrainingSystem]:
    """A system as it is and compiled, in float32 and with products in bfloat16."""
    ways = training, replace(training, is_compiled=True)
    return [kind(way, state) for kind in (plain, autocast) for way in ways]


def growth(training: Training, state: State, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Ours with other ranks, divided by that of the options; with more pictures and with more tokens."""
    one = examples(training.config, options.side, 1)
    ranks = [training.rank, *(rank for rank in options.ranks if rank != training.rank)]
    systems = [Ours(replace(training, rank=rank), state) for rank in ranks]
    yield from rows("growth", [f"rank {rank}" for rank in ranks], systems, one, options.rounds)
    for side, batch in [(options.side, 2), (options.side, 4), (2 * options.side, 1), (4 * options.side, 1)]:
        group = examples(training.config, side, batch)
        name = f"{batch} x {token_count((side // 8, side // 8), CAPTION)} tokens"
        yield list(rows("growth", [name], systems[:1], group, options.rounds))[0]


def _installed(make: Callable[[], TrainingSystem]) -> TrainingSystem | None:
    """A system, or None with a line where its packages are missing."""
    try:
        return make()
    except (ImportError, RuntimeError) as error:
        sys.stderr.write(f"left out: {error}\n")
        return None


PARTS = {"others": beside_others, "shares": shares, "growth": growth, "compiled": compiled}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--layers", type=int, default=1, help="of full width")
    parser.add_argument("--side", type=int, default=SIDE, help="of a picture, in pixels")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures a step")
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 128])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log", type=Path, default=LOG, help="where the table is appended")
    parser.add_argument("--no-log", action="store_true", help="print only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = replace(BASE_DIT, n_layers=options.layers, n_refiner_layers=1)
    state = Weights(Setup(dit=config, text=QWEN3_4B, vae=FLUX_VAE)).dit
    training = Training(config=config)
    body = table(HEADER, [row for part in options.parts for row in PARTS[part](training, state, options)])
    lines = [
        f"machine: {machine.describe(torch.device('cpu'))}; versions: {machine.versions()}, {version()}",
        f"float32, {options.layers} layers of width {config.dim}, {options.batch} x {options.side} px, "
        f"{CAPTION} tokens of caption, rank {training.rank}; one thread, the processor's own seconds",
        f"command: `{shlex.join(('python', '-m', 'bench.training', *sys.argv[1:]))}`",
    ]
    sys.stdout.write("\n".join((*lines, "", body, "")))
    if not options.no_log:
        append(options.log, "a step of training a LoRA", lines, body)


if __name__ == "__main__":
    main()
