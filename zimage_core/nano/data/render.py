"""Draws scenes and compositions: four-fold supersampled polygons on simple grounds.

A seed jitters an object's position, size, rotation and colour; seed None draws it exactly as described. On a picture of
any size, places are parts of its sides, objects are as large as its shorter side makes them, and stripes and checks
keep their grain, as wallpaper does: the autoencoder knows no other (docs/log.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...config import NANO_SIDE
from .scenes import COLOURS, COLUMNS, ROWS, SIZES, Composition, Scene, SceneObject

SIDE = NANO_SIDE  # pixels
SQUARE = (SIDE, SIDE)  # width and height
STRIPE, CHECK = 8, 16  # pixels
SUPERSAMPLING = 4
RING_HOLE = 0.55  # inner radius of a ring as a part of the outer
ARM = 0.33  # half the width of a cross's arms
CROSS = (
    *((-ARM, -1), (ARM, -1), (ARM, -ARM), (1, -ARM), (1, ARM), (ARM, ARM)),
    *((ARM, 1), (-ARM, 1), (-ARM, ARM), (-1, ARM), (-1, -ARM), (-ARM, -ARM)),
)

Point = tuple[float, float]
Size = tuple[int, int]  # width and height


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how an object is drawn, in parts of the picture's sides."""

    x: float
    y: float
    radius: float  # of the shorter side
    rotation: float  # radians
    colour: tuple[int, int, int]


def place(obj: SceneObject, seed: int | None) -> Placement:
    """The exact placement of an object, or one jittered by a seed."""
    x, y, radius, colour = COLUMNS[obj.column], ROWS[obj.row], SIZES[obj.size], COLOURS[obj.colour]
    if seed is None:
        return Placement(x=x, y=y, radius=radius, rotation=0.0, colour=colour)
    rng = np.random.default_rng(seed)
    red, green, blue = (int(np.clip(channel + rng.integers(-8, 9), 0, 255)) for channel in colour)
    return Placement(
        x=x + rng.uniform(-0.025, 0.025),
        y=y + rng.uniform(-0.025, 0.025),
        radius=radius * rng.uniform(0.93, 1.07),
        rotation=rng.uniform(-0.08, 0.08),
        colour=(red, green, blue),
    )


def render(scene: Scene, seed: int | None = None, size: Size = SQUARE) -> Image.Image:
    """The picture of a scene, RGB."""
    return render_composition(scene.composition, (seed,), size)


def render_composition(composition: Composition, seeds: Sequence[int | None], size: Size = SQUARE) -> Image.Image:
    """The picture of a composition, RGB; one seed for each object."""
    picture = ground(composition.ground, size).copy()
    for obj, seed in zip(composition.objects, seeds, strict=True):
        picture.paste(place(obj, seed).colour, mask=coverage(obj, seed, size))
    return picture


def coverage(obj: SceneObject, seed: int | None = None, size: Size = SQUARE) -> Image.Image:
    """How much of every pixel an object covers, 0-255."""
    placement = place(obj, seed)
    return draw_mask(obj.shape, placement.x, placement.y, placement.radius, placement.rotation, size)


@cache
def ground(name: str, size: Size = SQUARE) -> Image.Image:
    """A background without an object."""
    width, height = size
    down, across = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5  # pixels
    flat = np.zeros((height, width))
    match name:
        case "white":
            value = np.stack([flat + 250] * 3, -1)
        case "black":
            value = np.stack([flat + 12] * 3, -1)
        case "grey":
            value = np.stack([flat + 140] * 3, -1)
        case "sky":
            part = down / height
            value = np.stack([150 + 80 * part + flat, 200 + 40 * part + flat, 250 + flat], -1)
        case "stripes":
            value = np.stack([np.where(down // STRIPE % 2 == 0, 236, 196) + flat] * 3, -1)
        case "checks":
            value = np.stack([np.where((down // CHECK + across // CHECK) % 2 == 0, 105, 65) + flat] * 3, -1)
        case _:
            raise ValueError(f"no ground called {name}")
    return Image.fromarray(value.round().astype(np.uint8))


def draw_mask(shape: str, x: float, y: float, radius: float, rotation: float, size: Size = SQUARE) -> Image.Image:
    """How much of every pixel a shape covers, 0-255."""
    width, height = (SUPERSAMPLING * side for side in size)
    across, down = (radius * min(size) / side for side in size)  # the radius in parts of each side
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    outline = [
        (
            width * (x + across * (px * math.cos(rotation) - py * math.sin(rotation))),
            height * (y + down * (px * math.sin(rotation) + py * math.cos(rotation))),
        )
        for px, py in unit_outline(shape)
    ]
    draw.polygon(outline, fill=255)
    if shape == "ring":
        signs = (-RING_HOLE, RING_HOLE)
        draw.ellipse([each for s in signs for each in (width * (x + s * across), height * (y + s * down))], fill=0)
    return mask.reduce(SUPERSAMPLING)


@cache
def unit_outline(shape: str) -> tuple[Point, ...]:
    """A shape's outline around the origin, radius about 1, y pointing down."""
    match shape:
        case "circle" | "ring":
            return tuple(on_circle(step / 48) for step in range(48))
        case "square":
            return ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85))
        case "triangle":
            return tuple((px * 1.1, py * 1.1 + 0.2) for px, py in (on_circle(step / 3) for step in range(3)))
        case "star":
            return tuple(on_circle(step / 10, 1.15 if step % 2 == 0 else 0.46) for step in range(10))
        case "heart":
            return tuple(heart_point(step / 48) for step in range(48))
        case "cross":  # not among SHAPES: the model is never trained on it (`judging/judge_lora.py`)
            return tuple((1.1 * px, 1.1 * py) for px, py in CROSS)
        case _:
            raise ValueError(f"no shape called {shape}")


def on_circle(part: float, radius: float = 1.0) -> Point:
    """The point a part of the way around, clockwise from the top."""
    return radius * math.sin(2 * math.pi * part), -radius * math.cos(2 * math.pi * part)


def heart_point(part: float) -> Point:
    """The classic parametric heart, scaled to radius about 1."""
    angle = 2 * math.pi * part
    height = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return math.sin(angle) ** 3, -(height + 2.5) / 15.5


def pixels(picture: Image.Image) -> NDArray[np.float32]:
    """A picture's channels as (h, w, 3) floats in [0, 1]."""
    return np.asarray(picture.convert("RGB")).astype(np.float32) / np.float32(255)


def at_renderers_side(picture: Image.Image) -> Image.Image:
    """The picture as large as the renderer draws."""
    rgb = picture.convert("RGB")
    return rgb if rgb.size == (SIDE, SIDE) else rgb.resize((SIDE, SIDE), Image.Resampling.BOX)
