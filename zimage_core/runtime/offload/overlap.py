"""When streaming is free: a step lasts about as long as the longer of computing and copying.

Copies and blocks form a loop: copy j waits for streamed block j - 2, which had the slot before, and block j waits for
copy j. If streamed blocks are bunched, copies have to wait while resident blocks compute: a step of 30 equal blocks, 12
of them last and streamed at twice a block's time, lasts 40 blocks. Spread evenly it lasts 30, as long as it computes.
"""


def spread(total: int, chosen: int) -> list[int]:
    """Indices of `chosen` out of `total` blocks, as evenly as whole numbers allow."""
    return [(index + 1) * total // chosen - 1 for index in range(chosen)]


def step_seconds(compute: float, transfer: float, total: int, streamed: int) -> float:
    """One pass through `total` equal blocks of which `streamed` are spread among them, but for one block.

    `compute` is the time of all blocks, `transfer` that of all copies. Whichever is longer hides the other, except that
    two slots cannot bridge every gap when a copy takes longer than a block: around each resident block the copies then
    lose what two blocks and the gap take longer than two copies. That costs a tenth at the most.
    """
    longer = max(compute, transfer)
    if not streamed:
        return compute
    block, copy = compute / total, transfer / streamed
    waits = (total - streamed) * (3 * block - 2 * copy) if copy > block else 0.0
    return max(longer, transfer + waits)
