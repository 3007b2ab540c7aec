"""Benchmark planning: network depth that fits in memory, and workloads that fit in the time budget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from zimage_core.config import FLUX_VAE, MAX_CAPTION_TOKENS, QWEN3_4B, TURBO_DIT, DiTConfig, TextConfig, VAEConfig

from .flops import text_flops, workload_flops
from .machine import free_bytes
from .random_weights import Setup
from .timing import TimeBudget
from .workloads import Sweep, Workload

GPU_SIZES = ((1024, 1024), (512, 512), (832, 1216), (1536, 1536), (768, 768), (2048, 2048))
CPU_SIZES = ((512, 512), (256, 256), (192, 320))

ACTIVATION_RESERVE = 16 * 2**30  # bytes reserved for the activations of the largest workload
OVERHEAD_FACTOR = 2.5  # expected time relative to the FLOPs at peak GEMM throughput; float32 text encoding takes longer
# The same factor for the float32 reference, which a GPU computes 12 to 16 times slower than bfloat16.
REFERENCE_OVERHEAD_FACTORS = {"cuda": 40.0}
MIN_PICTURE_ROUNDS = 5  # each run of a picture is eight steps


def machine_setup(device: torch.device, dtype: torch.dtype, layers: int | None, text_layers: int | None) -> Setup:
    """The released widths, at full depth if memory allows, otherwise with a few layers."""
    is_large = (
        device.type == "cuda" and free_bytes(device) >= required_bytes(TURBO_DIT, QWEN3_4B, dtype) + ACTIVATION_RESERVE
    )
    dit = replace(TURBO_DIT, n_layers=layers or (TURBO_DIT.n_layers if is_large else 2))
    text = replace(QWEN3_4B, n_layers=text_layers or (QWEN3_4B.n_layers if is_large else 12))
    if not is_large:
        dit, text = replace(dit, n_refiner_layers=1), replace(text, vocab_size=4096)
    needed = required_bytes(dit, text, dtype)
    if needed > free_bytes(device):
        raise MemoryError(
            f"{dit.n_layers} transformer and {text.n_layers} text layers need {needed / 2**30:.0f} GiB here, and "
            f"{free_bytes(device) / 2**30:.0f} GiB are free; ask for fewer with --layers and --text-layers"
        )
    return Setup(dit=dit, text=text, vae=FLUX_VAE, device=device, dtype=dtype)


def required_bytes(dit: DiTConfig, text: TextConfig, dtype: torch.dtype) -> int:
    """Bytes of the weights, plus a float32 copy of the larger network for the reference result."""
    block = 4 * dit.dim**2 + 3 * dit.dim * dit.ffn_dim
    transformer = block * (dit.n_layers + 2 * dit.n_refiner_layers)
    wide = (2 * text.n_heads + 2 * text.n_kv_heads) * text.head_dim
    encoder = text.n_layers * text.dim * (wide + 3 * text.ffn_dim) + text.vocab_size * text.dim
    return dtype.itemsize * (transformer + encoder) + 4 * max(transformer, encoder)


def tiny_setup(dtype: torch.dtype = torch.float32, *, n_heads: int = 3, time_hidden_dim: int = 1024) -> Setup:
    """Small widths for tests of counts and equality.

    The head width is the released one. ComfyUI requires a feed-forward width that is a multiple of 256, so `n_heads`
    must be a multiple of 3, and sets the timestep MLP's hidden width to `dim` below 1024; diffusers fixes it at 1024.
    """
    dim = 128 * n_heads
    return Setup(
        dit=DiTConfig(
            dim=dim,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=n_heads,
            ffn_dim=dim * 8 // 3,
            cap_feat_dim=256,
            time_hidden_dim=time_hidden_dim,
            adaln_dim=256,
        ),
        text=TextConfig(vocab_size=512, dim=256, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=128, ffn_dim=512),
        vae=VAEConfig(encoder_widths=(128,) * 4, decoder_widths=(128,) * 4, decoder_blocks=2),
        dtype=dtype,
    )


def machine_sweep(device: torch.device, sizes: Sequence[tuple[int, int]] | None, captions: Sequence[int]) -> Sweep:
    """A sweep over the given sizes, or over this device's default sizes."""
    return Sweep(sizes=sizes or (GPU_SIZES if device.type == "cuda" else CPU_SIZES), captions=captions)


@dataclass(frozen=True, kw_only=True)
class PlannedWorkload:
    """A workload and its share of the time budget."""

    workload: Workload
    min_rounds: int
    min_seconds: float  # estimated for `min_rounds`, including warm-up, memory measurement and reference result
    seconds: float  # allotted


def plan_workloads(
    workloads: Iterable[Workload],
    setup: Setup,
    n_runners: int,
    total_seconds: float,
    peak_flops: float,
    budget: TimeBudget,
) -> tuple[list[PlannedWorkload], list[PlannedWorkload]]:
    """Workloads whose minimum rounds fit into `total_seconds`, in order of importance, and the skipped ones.

    The remaining time is distributed in proportion to the minimum times.
    """
    chosen: list[PlannedWorkload] = []
    skipped: list[PlannedWorkload] = []
    spent = 0.0
    for workload in workloads:
        min_rounds = min(budget.min_rounds, MIN_PICTURE_ROUNDS) if workload.part == "picture" else budget.min_rounds
        min_seconds = estimate_seconds(workload, setup, n_runners, peak_flops, budget.warmups + min_rounds)
        planned = PlannedWorkload(
            workload=workload, min_rounds=min_rounds, min_seconds=min_seconds, seconds=min_seconds
        )
        if spent + min_seconds > total_seconds:
            skipped.append(planned)
            continue
        spent += min_seconds
        chosen.append(planned)
    stretch = total_seconds / spent if spent else 1.0
    return [replace(each, seconds=each.min_seconds * stretch) for each in chosen], skipped


def estimate_seconds(workload: Workload, setup: Setup, n_runners: int, peak_flops: float, rounds: int) -> float:
    """Estimated seconds for `rounds` interleaved rounds, a trial run, a memory run and the reference result."""
    flops = workload_flops(workload, setup.dit, setup.text, setup.vae)
    work = n_runners * flops
    if workload.part in ("text", "picture"):  # one or two of the other systems pad every prompt
        work += 2 * workload.batch * text_flops(setup.text, MAX_CAPTION_TOKENS)
    reference = (
        0.0
        if workload.part == "picture"
        else REFERENCE_OVERHEAD_FACTORS.get(setup.device.type, OVERHEAD_FACTOR) * flops
    )
    return ((rounds + 2) * OVERHEAD_FACTOR * work + reference) / peak_flops
