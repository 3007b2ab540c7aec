"""`python -m bench.writing`: tokens per second and bytes of writing, ours beside transformers and ComfyUI.

All write greedily with the same random weights in float32, by their own loops, in rounds in which each writes once. A
token's time is the processor's own, on one thread, so that a busy machine does not lengthen it. The last token's time
grows with the context, which keys and values are read for; bytes are those of tensors alive above the weights.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from zimage_core.config import FLUX_VAE, NANO_DIT, QWEN3_4B, TextConfig

from . import machine
from .counter import Counter
from .random_weights import Setup, Weights
from .systems.comfyui import version
from .systems.writers import SYSTEMS, WritingSystem
from .table import append, size, table
from .timing import Ratio, paired_ratio

LAYOUTS = {
    "small": replace(QWEN3_4B, vocab_size=4096, dim=256, n_layers=4, n_heads=4, n_kv_heads=2, ffn_dim=768),
    "full width": replace(QWEN3_4B, vocab_size=16384, n_layers=4),  # the output's share of the work as with 36 layers
}
HEADER = ("layout", "context", "system", "first ÷", "95 %", "next ÷", "95 %", "tokens/s", "peak", "while writing")
LOG = Path(__file__).parent / "log.md"


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one round: until the first token, which reads the prompt, and for each of those after it."""

    first: float
    following: float


class NotTheSame(RuntimeError):
    """Two systems wrote different tokens, so their times cannot be compared."""


def timed(system: WritingSystem, prompt: Sequence[int], n_tokens: int) -> tuple[list[int], Times]:
    """The tokens of one text and its times."""
    ends, start = list[float](), time.process_time()
    written = system.write(prompt, n_tokens, lambda: ends.append(time.process_time()))
    return written, Times(first=ends[0] - start, following=(ends[-1] - ends[0]) / (len(ends) - 1))


def peak_bytes(system: WritingSystem, prompt: Sequence[int], n_tokens: int) -> tuple[int, int]:
    """Of a whole text, and from its first token on."""
    peaks = list[int]()

    def on_token() -> None:
        peaks.append(counter.live.peak)
        counter.live.peak = counter.live.now

    with Counter() as counter:
        system.write(prompt, n_tokens, on_token)
    return max(peaks), max(peaks[1:])


def rounds(systems: Sequence[WritingSystem], prompt: Sequence[int], n_tokens: int, count: int) -> list[list[Times]]:
    """Times by system and round, after one round to warm up; the order turns from round to round."""
    times: list[list[Times]] = [[] for _ in systems]
    for index in tqdm(range(count + 1), desc=f"{len(prompt)} tokens", leave=False):
        texts = dict[str, list[int]]()
        for position in range(len(systems)):
            which = (index + position) % len(systems)
            texts[systems[which].name], taken = timed(systems[which], prompt, n_tokens)
            times[which] += [taken] if index else []
        if len({tuple(text) for text in texts.values()}) > 1:
            raise NotTheSame(f"the systems wrote different tokens: {texts}")
    return times


@torch.inference_mode()
def rows(layout: str, config: TextConfig, options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Lines of the table for one layout."""
    state = Weights(Setup(dit=NANO_DIT, text=config, vae=FLUX_VAE)).text
    systems = [system(config, state) for system in SYSTEMS]
    for context in options.contexts:
        generator = torch.Generator().manual_seed(context)
        prompt = torch.randint(config.vocab_size, (context,), generator=generator).tolist()
        times = rounds(systems, prompt, options.tokens, options.rounds)
        for system, taken in zip(systems, times, strict=True):
            peak, held = peak_bytes(system, prompt, options.tokens)
            yield (
                layout,
                str(context),
                system.name,
                *told(paired_ratio([each.first for each in taken], [each.first for each in times[0]])),
                *told(paired_ratio([each.following for each in taken], [each.following for each in times[0]])),
                f"{1 / median(each.following for each in taken):.3g}",
                size(peak),
                size(held),
            )


def with_layers(config: TextConfig, n: int) -> TextConfig:
    """A layout with n layers and a vocabulary in proportion, so that the output's share of the work stays."""
    return replace(config, n_layers=n, vocab_size=config.vocab_size * n // config.n_layers)


def told(ratio: Ratio) -> tuple[str, str]:
    """A ratio and its interval."""
    return f"{ratio.median:.3f}", f"{ratio.low:.3f}–{ratio.high:.3f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.writing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--contexts", type=int, nargs="+", default=[64, 512, 2048], help="tokens of the prompt")
    parser.add_argument("--tokens", type=int, default=32, help="written after it, at least 3")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", type=int, default=4, help="at least 2; fewer take less memory and time")
    parser.add_argument("--log", type=Path, default=LOG, help="where the table is appended")
    parser.add_argument("--no-log", action="store_true", help="print only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    layouts = {name: with_layers(LAYOUTS[name], options.layers) for name in options.layouts}
    body = table(HEADER, [row for name, config in layouts.items() for row in rows(name, config, options)])
    command = shlex.join(("python", "-m", "bench.writing", *sys.argv[1:]))
    lines = [
        f"machine: {machine.describe(torch.device('cpu'))}; versions: {machine.versions()}, {version()}",
        f"greedy, float32, {options.tokens} tokens after the context; every system wrote the same ones",
        *(f"{name}: {_widths(config)}" for name, config in layouts.items()),
        f"command: `{command}`",
    ]
    sys.stdout.write("\n".join((*lines, "", body, "")))
    if not options.no_log:
        append(options.log, "writing text", lines, body)


def _widths(config: TextConfig) -> str:
    return f"width {config.dim}, {config.n_layers} layers, {config.vocab_size} tokens in the vocabulary"


if __name__ == "__main__":
    main()
