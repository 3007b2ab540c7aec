"""Times of a step of nano at 1 to 16 megapixels, whole and in tiles, and of one layer of Turbo's widths.

python -m bench.large_clock --nano 1 2 4 --layer 1

Times are the processor's own, on one thread, so that a busy machine does not lengthen them; beside them stand the
operations that are counted from the architecture, and the bytes of activations that a step keeps alive.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

import torch

from zimage_core.checkpoints import DIT, load_dit
from zimage_core.config import NANO_DIT, TURBO_DIT
from zimage_core.model import Block
from zimage_core.model.rope import rope_table
from zimage_core.model.sequence import caption_positions, image_positions
from zimage_core.nano.files import file_of
from zimage_core.runtime.byte_counts import Tokens, step_bytes
from zimage_core.runtime.flop_counts import block_flops, step_flops
from zimage_core.sampling import Tiling, blend

CAPTION = 32  # tokens
SIDES = {1: (128, 128), 2: (128, 256), 4: (256, 256), 8: (256, 512), 16: (512, 512)}  # latent cells
TILES = Tiling(height=128, width=128, overlap=32)


def clocked(run: Callable[[], object]) -> float:
    """Seconds of the processor, after nothing was warmed: a step is long."""
    start = time.process_time()
    run()
    return time.process_time() - start


def nano_rows(megapixels: list[int]) -> Iterator[str]:
    """A step of nano whole and in tiles, in float32."""
    network = load_dit(file_of(DIT)).float()
    caption = [torch.randn(20, NANO_DIT.cap_feat_dim)]
    yield "| a step of nano | whole: GFLOP | MiB | s | tiles | in tiles: GFLOP | MiB | s |"
    yield "| --- " * 8 + "|"
    for size in (SIDES[each] for each in megapixels):
        x, windows = torch.randn(1, 16, *size), TILES.windows(size)
        whole = network.flow(network.prepare(caption, size))
        tile = network.flow(network.prepare(caption, (128, 128)))
        seconds = (
            clocked(partial(whole, x, 0.5)),
            clocked(lambda x=x, tile=tile: blend(TILES, x, lambda t, _: tile(t, 0.5))),
        )
        cells = (size[0] * size[1], 128 * 128)
        flops = [step_flops(NANO_DIT, each // 4, CAPTION) for each in cells]
        held = [
            step_bytes(NANO_DIT, Tokens(image=each // 4, joint=each // 4 + CAPTION), "fp32", "fp32") for each in cells
        ]
        yield (
            f"| {8 * size[1]}x{8 * size[0]} | {flops[0] / 1e9:.4g} | {held[0] / 2**20:.4g} | {seconds[0]:.1f} | "
            f"{len(windows)} | {len(windows) * flops[1] / 1e9:.4g} | {held[1] / 2**20:.4g} | {seconds[1]:.1f} |"
        )


def layer_rows(megapixels: list[int]) -> Iterator[str]:
    """One layer of Turbo's widths on the whole picture, in float32 with random weights."""
    block = Block(TURBO_DIT, is_modulated=False).requires_grad_(False)
    yield "| a layer of 3840 | tokens | TFLOP | GFLOP/s | s |"
    yield "| --- " * 5 + "|"
    for size in (SIDES[each] for each in megapixels):
        grid = (size[0] // 2, size[1] // 2)
        positions = torch.cat((caption_positions(CAPTION), image_positions(grid, start=CAPTION + 1)))
        x = torch.randn(1, len(positions), TURBO_DIT.dim)
        rope = rope_table(positions, TURBO_DIT.axes_dims, TURBO_DIT.rope_theta)
        seconds, flops = (
            clocked(partial(block, x, rope, block.base_norm_weights(x))),
            block_flops(TURBO_DIT, len(positions)),
        )
        yield (
            f"| {8 * size[1]}x{8 * size[0]} | {len(positions)} | {flops / 1e12:.3g} | {flops / seconds / 1e9:.3g} | "
            f"{seconds:.1f} |"
        )


@torch.inference_mode()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nano", type=int, nargs="*", choices=SIDES, default=[1, 2, 4], help="megapixels")
    parser.add_argument("--layer", type=int, nargs="*", choices=SIDES, default=[1], help="megapixels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for row in chain(nano_rows(arguments.nano), [""], layer_rows(arguments.layer)):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
