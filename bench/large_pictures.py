"""Operations and activation bytes of a step at 1 to 16 megapixels, whole and in tiles."""

import sys
from collections.abc import Iterator

from zimage_core.config import MAX_CAPTION_TOKENS, TURBO_DIT
from zimage_core.model.sequence import padded_length
from zimage_core.runtime.byte_counts import Tokens, step_bytes
from zimage_core.runtime.large_plan import Size, plan_large

SIDES = ((1024, 1024), (1024, 2048), (2048, 2048), (2048, 4096), (4096, 4096))  # pixels


def bytes_of(size: Size) -> int:
    """Activations of a step of Turbo in bf16 on a latent of (h, w) cells, with the longest prompt."""
    image = padded_length(size[0] * size[1] // 4)
    return step_bytes(TURBO_DIT, Tokens(image=image, joint=image + MAX_CAPTION_TOKENS), "bf16", "bf16")


def rows() -> Iterator[str]:
    """The table in Markdown."""
    yield "| size | megapixels | whole: TFLOP | whole: GiB | tiles | in tiles: TFLOP | in tiles: GiB |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for height, width in SIDES:
        size = height // 8, width // 8
        whole, tiles = (
            plan_large(TURBO_DIT, size, 1024, way, bytes_of, lambda tile: 0, 2**50) for way in ("whole", "tiles")
        )
        yield (
            f"| {width}x{height} | {height * width / 2**20:g} | {whole.flops / 1e12:.4g} | "
            f"{whole.bytes_needed / 2**30:.2f} | {tiles.n_tiles} | {tiles.flops / 1e12:.4g} | "
            f"{tiles.bytes_needed / 2**30:.2f} |"
        )


if __name__ == "__main__":
    sys.stdout.write("\n".join((*rows(), "")))
