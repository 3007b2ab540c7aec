"""What `zimage merge --search` does: weights by a score, every picture kept beside the file, and the best one merged.

The networks are loaded once; each point's transformer is computed over them, one parameter at a time.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..atomic_file import write_text
from ..evaluation.pictures import write_picture_file
from ..merging import Merge, OpenedMerge
from ..merging.groups import groups_of, strength_of
from ..merging.kept_points import append_point, files_of, read_points
from ..merging.search import BY_METHOD, Point, Space, search
from ..scoring.score import Request, Score
from ..text.protected import quoted_texts
from .drawer import Drawer
from .machine import device_of, dtype_of
from .named_scores import score_of

SETTINGS = "search.json"
METHODS = {"coordinate": "coordinate", "cma": "CMA-ES"}


@dataclass(frozen=True, kw_only=True)
class MergeSearch:
    """A search over the weights of every source in every group of blocks."""

    opened: OpenedMerge
    groups: tuple[str, ...]
    drawer: Drawer
    score: Score
    asked: Sequence[tuple[str, int]]  # prompts and seeds
    folder: Path

    def merge_at(self, point: Point) -> Merge:
        """The merge of a point: the weights of the first source, then those of the next."""
        n, sources = len(self.groups), self.opened.merge.sources
        parts = [point[start : start + n] for start in range(0, len(point), n)]
        weighed = [
            replace(source, weight=strength_of(self.groups, part)) for source, part in zip(sources, parts, strict=True)
        ]
        return replace(self.opened.merge, sources=tuple(weighed))

    def opened_at(self, point: Point) -> OpenedMerge:
        """The same with open files."""
        merge = self.merge_at(point)
        both = zip(self.opened.sources, merge.sources, strict=True)
        return replace(self.opened, merge=merge, sources=tuple(replace(each, source=source) for each, source in both))

    def value(self, number: int, point: Point) -> float:
        """The mean of a point's pictures, higher for better. Raises ValueError where none has a number."""
        files = files_of(self.folder, number, len(self.asked))
        if not all(file.exists() for file in files):
            self._load(point)
        for (prompt, seed), file in zip(self.asked, files, strict=True):
            if not file.exists():
                write_picture_file(file, [self.drawer(prompt, seed)])
        pictures = [Image.open(file).convert("RGB") for file in files]
        requests = [Request(prompt=prompt, lettering=texts_in(prompt)) for prompt, _ in self.asked]
        found = self.score(pictures, requests)
        values = [each.value for each in found if each.value is not None]
        if not values:
            raise ValueError(f"no picture could be measured by {self.score.name}: {found[0].problem}")
        value = self.told(sum(values) / len(values))
        append_point(self.folder, number, point, value, {"values": [each.value for each in found]})
        return value

    def told(self, value: float) -> float:
        """From the score's number to one that is higher for better, and back."""
        return value if self.score.higher_is_better else -value

    def _load(self, point: Point) -> None:
        """Give the resident transformer the weights of a point."""
        opened = self.opened_at(point)
        for name, parameter in self.drawer.dit.named_parameters():
            parameter.data.copy_(opened.merged(name, parameter.dtype))


def texts_in(prompt: str) -> tuple[str, ...]:
    """What a prompt's quotation marks hold."""
    return tuple(each[1:-1] for each in quoted_texts(prompt))


def searched(opened: OpenedMerge, options: argparse.Namespace) -> tuple[OpenedMerge, dict[str, Any]]:
    """The best merge, and what is told of the search. Raises ValueError for what cannot be searched."""
    device = device_of(options.device)
    plan = MergeSearch(
        opened=opened,
        groups=groups_of(options.groups, opened.shapes),
        drawer=Drawer(options.model, device=device, dtype=dtype_of(None, device), steps=options.steps),
        score=score_of(options.score),
        asked=[(prompt, seed) for prompt in prompts_of(options.prompts) for seed in range(options.seeds)],
        folder=options.out.with_suffix(".search"),
    )
    settings = {name: str(getattr(options, name)) for name in ("files", "base", "method", "density", "seed", "groups")}
    settings |= {name: str(getattr(options, name)) for name in ("model", "search", "score", "steps")}
    check_same(plan.folder, {**settings, "asked": [list(each) for each in plan.asked]})
    n_weights = len(plan.groups) * len(opened.sources)
    known, space = read_points(plan.folder), Space(start=(0.5,) * n_weights)
    ends = [(end,) * n_weights for end in (0.0, 1.0)]
    with tqdm(total=options.budget, unit="merge", file=sys.stderr) as bar:

        def value(number: int, point: Point) -> float:
            found = known[point] if point in known else plan.value(number, point)
            bar.update()
            return found

        tried = list(search(BY_METHOD[METHODS[options.search]](space, options.seed), value, options.budget, ends))
    best = max(tried, key=lambda each: each.value)
    told = {
        "points": len(tried),
        "score": plan.score.name,
        "value": plan.told(best.value),
        "pictures": str(plan.folder),
    }
    weights = {each.file.name: str(each.weight) for each in plan.merge_at(best.point).sources}
    return plan.opened_at(best.point), {**told, "weights": weights}


def prompts_of(file: Path | None) -> list[str]:
    """The lines of a text file."""
    if file is None:
        raise ValueError("--search draws pictures: give --prompts, a text file with a prompt a line")
    found = [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    if not found:
        raise ValueError(f"{file} holds no prompt: write one a line")
    return found


def check_same(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse to go on with what another command has begun."""
    file = folder / SETTINGS
    if file.exists() and json.loads(file.read_text("utf-8")) != settings:
        raise ValueError(f"{folder} holds another search: delete that folder, or choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(settings))
