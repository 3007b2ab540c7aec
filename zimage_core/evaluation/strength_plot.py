"""A drawn plot of a LoRA's strengths: what each brings, how burnt it is, the limit, and the strength to take."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from PIL import Image, ImageDraw

from ..grid.labels import font_for
from .lora_strength import Tried

WIDTH, HEIGHT = 640, 360  # pixels
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 44, 52
BLUE, RED, GREEN, GREY = "#1f77b4", "#d62728", "#2ca02c", "#888888"
SIZE = 16  # of letters
DOT = 4


def strength_plot(
    tried: Sequence[Tried],
    brought: Sequence[float],
    limit: float,
    chosen: float,
    name: str,
    words: Mapping[str, str] = MappingProxyType({}),
) -> Image.Image:
    """The picture; `brought` are the numbers of the score called `name`, blue by the left scale, burning is red.

    `words` have the plot's words by their English, where they are to be others.
    """
    name, burning, burn_limit, take, strength_said = (
        words.get(each, each) for each in (name, "burning", "burn limit", "take", "strength")
    )
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    font = font_for(name + burning, SIZE)
    strengths = [each.strength for each in tried]
    x = _scale(strengths, LEFT, WIDTH - RIGHT)
    burnings = [each.burning for each in tried]
    left = _scale(brought, HEIGHT - BOTTOM, TOP)
    right = _scale([0.0, limit * 1.2, *burnings], HEIGHT - BOTTOM, TOP)
    draw.line([(x(chosen), TOP), (x(chosen), HEIGHT - BOTTOM)], fill=GREEN, width=6)
    for start in range(LEFT, WIDTH - RIGHT, 12):
        draw.line([(start, right(limit)), (start + 6, right(limit))], fill=RED)
    draw.text((LEFT, right(limit) - 2), burn_limit, fill=RED, font=font, anchor="ls")
    for values, y, colour in ((brought, left, BLUE), (burnings, right, RED)):
        points = [(x(strength), y(value)) for strength, value in zip(strengths, values, strict=True)]
        draw.line(points, fill=colour, width=2)
        for across, down in points:
            draw.ellipse((across - DOT, down - DOT, across + DOT, down + DOT), fill=colour)
    for value in (min(brought), max(brought)):
        draw.text((LEFT - 8, left(value)), f"{value:.3g}", fill=BLUE, font=font, anchor="rm")
    for value in (0.0, limit):
        draw.text((WIDTH - RIGHT + 8, right(value)), f"{value:.3g}", fill=RED, font=font, anchor="lm")
    for strength in strengths:
        draw.text((x(strength), HEIGHT - BOTTOM + 8), f"{strength:g}", fill=GREY, font=font, anchor="ma")
    draw.text((WIDTH / 2, HEIGHT - 4), strength_said, fill=GREY, font=font, anchor="md")
    draw.text((LEFT, 12), name, fill=BLUE, font=font)
    draw.text((WIDTH / 2, 12), f"{take} {chosen:g}", fill=GREEN, font=font, anchor="ma")
    draw.text((WIDTH - RIGHT, 12), burning, fill=RED, font=font, anchor="ra")
    return image


def _scale(values: Sequence[float], first: int, last: int) -> Callable[[float], float]:
    """From the least to the greatest value, to pixels; equal values stand in the middle."""
    low, high = min(values), max(values)
    if high == low:
        return lambda value: (first + last) / 2
    return lambda value: first + (value - low) / (high - low) * (last - first)
