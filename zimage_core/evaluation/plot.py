"""A plot as plain SVG: a row for each number with its interval, and marks where published figures are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 720, 250, 70, 26, 30  # pixels
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b")
TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number with its interval, and published numbers by model."""

    label: str
    value: float
    low: float
    high: float
    marks: Sequence[tuple[str, float]] = ()


def svg(bars: Sequence[Bar]) -> str:
    """The plot, from the least to the most that it shows; nothing for no bars."""
    if not bars:
        return ""
    shown = [each for bar in bars for each in (bar.low, bar.high, bar.value, *(value for _, value in bar.marks))]
    low, high = _bounds(min(shown), max(shown))
    models = list(dict.fromkeys(model for bar in bars for model, _ in bar.marks))
    colours = {model: COLOURS[(index + 1) % len(COLOURS)] for index, model in enumerate(models)}

    def x(value: float) -> str:
        return f"{LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT):.1f}"

    bottom = TOP + ROW * len(bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 24 + 18 * bool(models)}" '
        f'width="{WIDTH}" role="img" font-family="sans-serif" font-size="12">'
    ]
    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        lines.append(f'<line x1="{x(value)}" x2="{x(value)}" y1="{TOP - 8}" y2="{bottom}" stroke="#8884"/>')
        lines.append(f'<text x="{x(value)}" y="{bottom + 15}" text-anchor="middle" fill="#888">{value:.3g}</text>')
    for index, bar in enumerate(bars):
        lines += _bar(bar, TOP + ROW * index + ROW / 2 - 6, x, colours)
    for index, model in enumerate(models):
        place = LEFT + 170 * index
        lines.append(f'<circle cx="{place}" cy="{bottom + 30}" r="4" fill="{colours[model]}"/>')
        lines.append(f'<text x="{place + 9}" y="{bottom + 34}" fill="#888">{escape(model)}, published</text>')
    return "\n".join((*lines, "</svg>"))


def _bar(bar: Bar, y: float, x: Callable[[float], str], colours: dict[str, str]) -> list[str]:
    """A row: label, interval, number, marks."""
    lines = [
        f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end" fill="currentColor">{escape(_short(bar.label))}</text>',
        f'<line x1="{x(bar.low)}" x2="{x(bar.high)}" y1="{y}" y2="{y}" stroke="{COLOURS[0]}" stroke-width="6" '
        'stroke-opacity="0.35"/>',
        f'<circle cx="{x(bar.value)}" cy="{y}" r="5" fill="{COLOURS[0]}"/>',
        f'<text x="{WIDTH - RIGHT + 10}" y="{y + 4}" fill="currentColor">{bar.value:.4f}</text>',
    ]
    return lines + [f'<circle cx="{x(value)}" cy="{y}" r="4" fill="{colours[model]}"/>' for model, value in bar.marks]


def _bounds(low: float, high: float) -> tuple[float, float]:
    """A little more than what is shown, and never nothing."""
    margin = max((high - low) * 0.08, 0.005)
    return low - margin, high + margin


def _short(label: str, most: int = 38) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
