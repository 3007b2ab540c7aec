"""Do two looks show the same picture? The one is moved, stretched and mirrored onto the other, then they are compared.

What is left is the largest difference of a small patch, in percent of the pictures' own contrast: an edge that is half
a pixel off cancels there, another shape does not. Colours are compared in larger patches than brightness, as JPEG
stores them more coarsely.
"""

import numpy as np
from numpy.typing import NDArray

from ..embedding.looks import LOOK, Looks

ROUNDS = 3  # of the alignment
MOST_MOVED = 0.08  # of the side: a crop by 7 % on one side moves a border by that much
BLOCK = 128  # pairs compared at once
BRIGHT_PATCH, COLOUR_PATCH = 3, 5  # pixels
CELLS, MOST_APART = 8, 60.0  # a side; levels between cells, beyond which no alignment is tried
FAINT = 30.0  # levels that are added to the contrast, so that noise on one colour is no difference
HOPEFUL = 40.0  # percent between reduced looks, beyond which the full ones are not compared
DIFFERENT = 1000.0  # percent: what is told of a pair that is not compared in full
# brightness, red against green, yellow against blue: each spans 0-255 or ±255
OPPONENT = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0], [0.25, 0.25, -0.5]], np.float32)

Planes = NDArray[np.float32]  # (3 n s s), in OPPONENT's order


def differences(one: Looks, other: Looks) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """For each pair the difference in percent, and whether it is that of the mirror image."""
    found = np.full((2, len(one)), DIFFERENT, np.float32)
    for first in range(0, len(one), BLOCK):
        here = slice(first, first + BLOCK)
        fixed, moving = planes_of(one[here]), planes_of(other[here])
        for place, turned in enumerate((moving, moving[..., ::-1])):
            found[place, here] = difference(fixed, turned)
    return found.min(0), found[1] < found[0]


def difference(fixed: Planes, moving: Planes) -> NDArray[np.float32]:
    """Of pairs in one direction, in percent; those that are far apart when reduced are not looked at in full."""
    found = np.full(fixed.shape[1], DIFFERENT, np.float32)
    near = np.flatnonzero(np.abs(reduced(fixed - moving, CELLS)).max((0, 2, 3)) <= MOST_APART)
    if not len(near):
        return found
    fixed, moving = fixed[:, near], moving[:, near]
    half, half_moving = reduced(fixed, LOOK // 2), reduced(moving, LOOK // 2)
    moves = alignment(half[0], half_moving[0])
    percent = 200 / (contrast(half) + contrast(half_moving) + 2 * FAINT)
    hopeful = np.flatnonzero(left_over(half, half_moving, moves) * percent <= HOPEFUL)
    left = left_over(fixed[:, hopeful], moving[:, hopeful], 2 * moves[hopeful])
    found[near[hopeful]] = left * percent[hopeful]
    return found


def contrast(planes: Planes) -> NDArray[np.float32]:
    """How far a patch is from the middle level, at most."""
    return patch_difference(planes - np.median(planes, axis=(-2, -1), keepdims=True))


def planes_of(looks: Looks) -> Planes:
    """Brightness and two colours."""
    return np.ascontiguousarray(np.moveaxis(looks.astype(np.float32) @ OPPONENT.T, -1, 0))


def reduced(planes: Planes, side: int) -> Planes:
    """Means of squares, `side` of them each way."""
    step = planes.shape[-1] // side
    return planes.reshape(*planes.shape[:2], side, step, side, step).mean((3, 5), dtype=np.float32)


def alignment(fixed: NDArray[np.float32], moving: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shift and stretch across, shift and stretch down (n 4), in pixels at the border, which brightness decides."""
    moved, moves, most = moving, np.zeros((len(moving), 4), np.float32), MOST_MOVED * moving.shape[-1]
    for _ in range(ROUNDS):
        moves = np.clip(moves + step(fixed, moved), -most, most)
        moved = warped(moving, moves)
    return moves


def left_over(fixed: Planes, moving: Planes, moves: NDArray[np.float32]) -> NDArray[np.float32]:
    """In levels, the smaller of the differences as they are and after the alignment, there without the border."""
    border = moving.shape[-1] // 16  # that a moved look may not know
    inside = slice(border, moving.shape[-1] - border)
    left = (fixed - warped(moving, moves))[..., inside, inside]
    return np.minimum(patch_difference(fixed - moving), patch_difference(left))


def step(fixed: NDArray[np.float32], moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """One of Gauss and Newton's for `alignment`."""
    centred = centres(moved.shape[-1])
    down, across = np.gradient(moved, axis=(1, 2))
    design = np.stack([across, across * centred, down, down * centred[:, None]], 1).reshape(
        len(moved), 4, centred.size**2
    )
    normal = design @ design.transpose(0, 2, 1) + np.eye(4, dtype=np.float32)
    return np.linalg.solve(normal, design @ (fixed - moved).reshape(len(moved), centred.size**2, 1))[..., 0]


def warped(moving: NDArray[np.float32], moves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Looks (... n s s) read at other places, linearly between pixels; beyond a border the border goes on."""
    side = moving.shape[-1]
    across = reading((moves[:, 0:1] + moves[:, 1:2] * centres(side)).astype(np.float32))
    down = reading((moves[:, 2:3] + moves[:, 3:4] * centres(side)).astype(np.float32))
    return (down @ moving @ across.transpose(0, 2, 1)).astype(np.float32, copy=False)


def reading(moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrices (n s s) that interpolate where each pixel has moved by so much (n s)."""
    pixels = np.arange(moved.shape[-1], dtype=np.float32)
    inside = np.clip(pixels + moved, 0, len(pixels) - 1)
    return np.maximum(np.float32(0), 1 - np.abs(inside[..., None] - pixels))


def centres(side: int) -> NDArray[np.float32]:
    """Where pixels are, -1 to 1."""
    return ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)


def patch_difference(difference: Planes) -> NDArray[np.float32]:
    """The largest mean of a patch, of brightness or a colour."""
    bright = np.abs(patch_means(difference[0], BRIGHT_PATCH)).max((-2, -1), initial=0)
    colour = np.abs(patch_means(difference[1:], COLOUR_PATCH)).max((0, -2, -1), initial=0)
    return np.maximum(bright, colour)


def patch_means(values: NDArray[np.float32], wide: int) -> NDArray[np.float32]:
    """Of every square of so many pixels."""
    high, across = values.shape[-2] - wide + 1, values.shape[-1] - wide + 1
    rows = values[..., :high, :].copy()
    for i in range(1, wide):
        rows += values[..., i : i + high, :]
    means = rows[..., :across].copy()
    for i in range(1, wide):
        means += rows[..., i : i + across]
    return means / np.float32(wide**2)
