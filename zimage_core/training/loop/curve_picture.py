"""The losses of a run as a picture: every step pale, their running mean bold, what was held out in dots."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

GROUND, GRID, STEP, MEAN, VALIDATION = "#1e1f22", "#3a3b40", "#56606e", "#6cb6ff", "#ffb454"
MARGIN, LINES = 0.06, 4  # of the side; horizontal lines between the ends
SMOOTHING = 0.95
Row = Mapping[str, float | int | None]


def curve_picture(rows: Sequence[Row], side: int) -> Image.Image:
    """A square picture; without steps only its frame."""
    picture = Image.new("RGB", (side, side), GROUND)
    draw = ImageDraw.Draw(picture)
    edge = MARGIN * side
    for line in range(LINES + 2):
        y = edge + (side - 2 * edge) * line / (LINES + 1)
        draw.line([(edge, y), (side - edge, y)], fill=GRID)
    losses = [(int(row["step"] or 0), float(row["loss"] or 0.0)) for row in rows]
    held_out = [(int(row["step"] or 0), float(value)) for row in rows if (value := row.get("validation")) is not None]
    if not losses:
        return picture
    n_steps = max(2, int(rows[-1]["steps"] or 0))
    highest = max(value for _, value in [*losses, *held_out]) or 1.0

    def place(point: tuple[int, float]) -> tuple[float, float]:
        step, value = point
        return edge + (side - 2 * edge) * step / (n_steps - 1), side - edge - (side - 2 * edge) * value / highest

    draw.line([place(each) for each in losses], fill=STEP)
    draw.line([place(each) for each in smoothed(losses)], fill=MEAN, width=max(1, side // 150))
    for x, y in map(place, held_out):
        draw.ellipse([x - side / 100, y - side / 100, x + side / 100, y + side / 100], fill=VALIDATION)
    return picture


def smoothed(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """An exponential running mean that starts at the mean of what there is."""
    found: list[tuple[int, float]] = []
    total = weight = 0.0
    for step, value in points:
        total, weight = SMOOTHING * total + value, SMOOTHING * weight + 1
        found.append((step, total / weight))
    return found
