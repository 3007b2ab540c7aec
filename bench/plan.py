"""Chooses what fits the machine: widths and depth first, then the cells a time budget allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from zimage_core.config import FLUX_VAE, MAX_CAPTION_TOKENS, QWEN3_4B, TURBO_DIT, DiTConfig, TextConfig, VAEConfig

from .cells import Cell, Matrix
from .flops import cell_flops, text_flops
from .machine import free_bytes
from .random_weights import Setup
from .timing import Pace

GPU_SIZES = ((1024, 1024), (512, 512), (832, 1216), (1536, 1536), (768, 768), (2048, 2048))
CPU_SIZES = ((512, 512), (256, 256), (192, 320))

ROOM = 16 * 2**30  # for the activations of the largest cell
SLOWDOWN = (
    2.5  # a system's time over that of its products at the machine's best rate; text in float32 takes longer still
)
EXACT_SLOWDOWN = {"cuda": 40.0}  # the same of the exact answer: a card's float32 is 12 to 16 times slower than bfloat16
FEWEST_PICTURES = 5  # rounds are enough for pictures, each of which is eight steps by itself


def machine_setup(device: torch.device, dtype: torch.dtype, layers: int | None, text_layers: int | None) -> Setup:
    """The released widths, at the released depth where memory holds it, else with a few layers."""
    is_large = device.type == "cuda" and free_bytes(device) >= bytes_needed(TURBO_DIT, QWEN3_4B, dtype) + ROOM
    dit = replace(TURBO_DIT, n_layers=layers or (TURBO_DIT.n_layers if is_large else 2))
    text = replace(QWEN3_4B, n_layers=text_layers or (QWEN3_4B.n_layers if is_large else 12))
    if not is_large:
        dit, text = replace(dit, n_refiner_layers=1), replace(text, vocab_size=4096)
    needed = bytes_needed(dit, text, dtype)
    if needed > free_bytes(device):
        raise MemoryError(
            f"{dit.n_layers} transformer and {text.n_layers} text layers need {needed / 2**30:.0f} GiB here, and "
            f"{free_bytes(device) / 2**30:.0f} GiB are free; ask for fewer with --layers and --text-layers"
        )
    return Setup(dit=dit, text=text, vae=FLUX_VAE, device=device, dtype=dtype)


def bytes_needed(dit: DiTConfig, text: TextConfig, dtype: torch.dtype) -> int:
    """Weights in the run's precision, and the larger network once more in float32 for the exact answer."""
    block = 4 * dit.dim**2 + 3 * dit.dim * dit.ffn_dim
    transformer = block * (dit.n_layers + 2 * dit.n_refiner_layers)
    wide = (2 * text.n_heads + 2 * text.n_kv_heads) * text.head_dim
    encoder = text.n_layers * text.dim * (wide + 3 * text.ffn_dim) + text.vocab_size * text.dim
    return dtype.itemsize * (transformer + encoder) + 4 * max(transformer, encoder)


def tiny_setup(dtype: torch.dtype = torch.float32, *, n_heads: int = 3, time_hidden_dim: int = 1024) -> Setup:
    """Small widths for tests, where counts and equality matter and seconds do not.

    The head is the released one. ComfyUI wants a feed-forward of a multiple of 256, so heads in threes, and ties the
    timestep's hidden layer to the width below 1024; diffusers ties it to 1024.
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


def machine_matrix(device: torch.device, sizes: Sequence[tuple[int, int]] | None, captions: Sequence[int]) -> Matrix:
    """The sizes asked for, or those worth measuring here."""
    return Matrix(sizes=sizes or (GPU_SIZES if device.type == "cuda" else CPU_SIZES), captions=captions)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A cell and its time."""

    cell: Cell
    rounds: int  # at least
    fewest: float  # seconds those are expected to take, the exact answer and memory included
    seconds: float  # it is given


def plan_cells(
    cells: Iterable[Cell], setup: Setup, contestants: int, budget: float, peak_flops: float, pace: Pace
) -> tuple[list[Planned], list[Planned]]:
    """The cells whose fewest rounds fit the budget, in order of importance, and those left out.

    What the fewest rounds leave of the budget is shared in proportion to them.
    """
    chosen: list[Planned] = []
    left_out: list[Planned] = []
    spent = 0.0
    for cell in cells:
        rounds = min(pace.least, FEWEST_PICTURES) if cell.part == "picture" else pace.least
        fewest = fewest_seconds(cell, setup, contestants, peak_flops, pace.warmups + rounds)
        planned = Planned(cell=cell, rounds=rounds, fewest=fewest, seconds=fewest)
        if spent + fewest > budget:
            left_out.append(planned)
            continue
        spent += fewest
        chosen.append(planned)
    stretch = budget / spent if spent else 1.0
    return [replace(each, seconds=each.fewest * stretch) for each in chosen], left_out


def fewest_seconds(cell: Cell, setup: Setup, contestants: int, peak_flops: float, rounds: int) -> float:
    """What so many rounds of a cell are expected to take, with one to try everybody, one for memory, and the truth."""
    own = cell_flops(cell, setup.dit, setup.text, setup.vae)
    work = contestants * own
    if cell.part in ("text", "picture"):  # one peer, or two, pad every prompt
        work += 2 * cell.batch * text_flops(setup.text, MAX_CAPTION_TOKENS)
    exact = 0.0 if cell.part == "picture" else EXACT_SLOWDOWN.get(setup.device.type, SLOWDOWN) * own
    return ((rounds + 2) * SLOWDOWN * work + exact) / peak_flops
