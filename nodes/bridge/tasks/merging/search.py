"""The weights of a merge searched by a score: every point's pictures and value lie in a folder, where it goes on.

A search is deterministic, so it is resumed by running it again over the values that are there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from comfy import model_management
from PIL import Image
from torch import Tensor

from .....zimage_core.adapters import parameter_shapes
from .....zimage_core.evaluation.pictures import write_picture_file
from .....zimage_core.merging import Method
from .....zimage_core.merging import groups as groups_of_blocks
from .....zimage_core.merging.kept_points import append_point, files_of, read_points
from .....zimage_core.merging.search import BY_METHOD, Point, Space, Tried, search
from .....zimage_core.scoring.score import Score
from ...patches import merging
from .. import scores
from ..comparing.columns import Row
from ..evaluating.painter import Painter
from ..evaluating.suite_run import image_of
from ..tried_sheet import tried_sheet

SHOWN, ACROSS = 8, 3  # points on the sheet, and pictures of each
SUM = Method()


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched, by what, and where it is kept."""

    model: Any
    other: Any
    groups: tuple[str, ...]
    method: str
    seed: int
    rows: Sequence[Row]
    score: Score
    folder: Path

    def merged(self, point: Point) -> Any:
        """The MODEL of a point; the model itself where every weight is 0."""
        return merging.merged(self.model, self.other, 1.0, groups_of_blocks.blocks_of(self.groups, point), "", SUM)[0]

    def pictures_of(self, number: int) -> list[Path]:
        """The files of a point's pictures."""
        return files_of(self.folder, number, len(self.rows))


@dataclass(frozen=True, kw_only=True)
class Found:
    """The points that were tried, in their order; the values are higher for better."""

    search: Search
    tried: Sequence[Tried]

    @property
    def best(self) -> Tried:
        """The first of the best."""
        return max(self.tried, key=lambda each: each.value)

    @property
    def blocks(self) -> str:
        """The best weights, for Z-Image Merge."""
        return groups_of_blocks.blocks_of(self.search.groups, self.best.point)

    @property
    def value(self) -> float:
        """The best point's number as the score tells it."""
        return self.told(self.best.value)

    def told(self, value: float) -> float:
        """A value as the score tells it, lower for better where that is so."""
        return value if self.search.score.higher_is_better else -value

    @property
    def report(self) -> str:
        """The best weights, and a line for each point."""
        title = scores.title_of(self.search.score)
        lines = [
            f"point {each.number}: {self.told(each.value):.4g} ({', '.join(self.named(each.point))})"
            for each in self.tried
        ]
        return "\n".join([f"Best of {len(self.tried)} by {title}: point {self.best.number}", *lines])

    def named(self, point: Point) -> list[str]:
        """The weights of a point by their groups."""
        return [f"{group}={weight:g}" for group, weight in zip(self.search.groups, point, strict=True)]

    @property
    def sheet(self) -> Tensor:
        """IMAGE of the first pictures of both models, and of what was better than all before."""
        last = [each for each in self.tried if each.number < 2 or each.is_best][-SHOWN:]
        files = [self.search.pictures_of(each.number)[:ACROSS] for each in last]
        pictures = [torch.cat([image_of(Image.open(file).convert("RGB")) for file in each]) for each in files]
        return tried_sheet(pictures, [f"{each.number}: {self.told(each.value):.3g}" for each in last])

    @property
    def facts(self) -> dict[str, Any]:
        """For a saved picture."""
        score = self.search.score
        weights = dict(zip(self.search.groups, self.best.point, strict=True))
        counted = {"points": len(self.tried), "value": self.value, "weights": weights}
        return {"score": score.name, "reader": score.reader, **counted}


def searched(asked: Search, painter: Mapping[str, Any], budget: int, bar: Any) -> Found:
    """Search up to `budget` points; what is in the folder is not drawn again. Raises what ends an interrupted prompt.

    `painter` are the settings of `Painter` besides its model. ValueError for pictures that cannot be scored.
    """
    known = read_points(asked.folder)
    ends = [tuple(end for _ in asked.groups) for end in (0.0, 1.0)]  # the models themselves
    space = Space(start=tuple(0.5 for _ in asked.groups))
    evaluate = partial(_evaluated, asked, painter, known, bar)
    tried = list(search(BY_METHOD[asked.method](space, asked.seed), evaluate, budget, ends))
    return Found(search=asked, tried=tried)


def shapes_of(model: Any) -> dict[str, tuple[int, ...]]:
    """The parameters of a MODEL's network."""
    return parameter_shapes(model.model.diffusion_model)


def _evaluated(
    asked: Search, painter: Mapping[str, Any], known: dict[Point, float], bar: Any, number: int, point: Point
) -> float:
    """The value of a point, from the folder or from its pictures."""
    model_management.throw_exception_if_processing_interrupted()
    if point in known:
        bar.finish(len(asked.rows))
        return known[point]
    draw = Painter(model=asked.merged(point), bar=bar, **painter)
    pictures: list[Image.Image] = []
    for row, file in zip(asked.rows, asked.pictures_of(number), strict=True):
        if not file.exists():
            write_picture_file(file, [draw(row.prompt, row.seed)])
        pictures.append(Image.open(file).convert("RGB"))
        bar.finish(1)
    requests = [scores.request_of(row.prompt, "") for row in asked.rows]
    found = scores.Scored(score=asked.score, measurements=tuple(asked.score(pictures, requests)))
    value = found.value if asked.score.higher_is_better else -found.value
    more = {"pictures": [asdict(row) for row in asked.rows], "measured": json.loads(found.parts)}
    append_point(asked.folder, number, point, value, {"groups": asked.groups, **more})
    return value
