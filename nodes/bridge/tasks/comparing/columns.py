"""Prompts and seeds as rows, ways to draw them as columns, as a graph of nodes that ComfyUI runs in place of one node.

ComfyUI caches each node of it, so after an interruption only pictures that are not there yet are drawn. Letters:
c columns, m pictures of a column, b pictures of a batch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from .....zimage_core.grid import MOST_PICTURES, Layout, compose
from .. import scores
from ..grid import PICTURE, SharedNodes, Sources, picture_of
from ..noise import seed_of
from ..tried_sheet import smaller

DRAWN = "ZImageDrawnPicture"
NO_PROMPTS = "No prompt is written. Write one a line in prompts, for example: a red fox in the snow"

AskedT = TypeVar("AskedT", bound="Asked")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is drawn in every column."""

    prompt: str
    seed: int

    def label(self, words: Mapping[str, str]) -> str:
        """As sheets name it, in these words."""
        return f"{self.prompt}, {words.get('seed', 'seed')} {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every sheet node is asked; travels as JSON."""

    node: str  # the id of the node in whose place the graph runs
    score: str
    reader: str
    rows: list[Row]

    @classmethod
    def read(cls: type[AskedT], written: str) -> AskedT:
        """From JSON."""
        given: dict[str, Any] = json.loads(written)
        return cls(rows=[Row(**row) for row in given.pop("rows")], **given)


@dataclass(frozen=True, kw_only=True)
class Column:
    """How it is drawn: with what, and the settings in place of the node's own."""

    label: str
    sources: Sources
    settings: Mapping[str, Any]


def rows_of(prompts: str, seed: int, seeds: int, n_columns: int) -> list[Row]:
    """Each prompt with each seed; ValueError for none, or more pictures than a sheet should hold."""
    written = list(dict.fromkeys(line.strip() for line in prompts.splitlines() if line.strip()))
    if not written:
        raise ValueError(NO_PROMPTS)
    rows = [Row(prompt=prompt, seed=seed_of(seed, number)) for prompt in written for number in range(seeds)]
    if (count := len(rows) * n_columns) > MOST_PICTURES:
        raise ValueError(
            f"This comparison would have {count} pictures, and the most is {MOST_PICTURES}. Take fewer prompts or "
            "seeds."
        )
    return rows


def check_prompts(rows: Sequence[Row], score: str, reader: str) -> None:
    """Raise ValueError where a score by these names cannot answer a prompt, before anything is drawn."""
    made = scores.score_of(score, reader)
    for prompt in {row.prompt for row in rows}:
        scores.check_request(made, scores.request_of(prompt, ""))


def expanded(
    sheet: str,
    terms: Mapping[str, Any],
    columns: Sequence[Column],
    rows: Sequence[Row],
    settings: Mapping[str, Any],
    **others: Any,
) -> tuple[list[Any], dict[str, Any]]:
    """A link to the first output of the `sheet` node, and the nodes; column after column is drawn.

    `others` are inputs of the sheet node besides the pictures.
    """
    graph = SharedNodes()
    links: dict[str, list[Any]] = {}
    total = len(columns) * len(rows)
    for column in columns:
        for row in rows:
            picture = picture_of(graph, column.sources, {**settings, **vars(row), **column.settings})
            told = f"picture {len(links) + 1} of {total}: {column.label}; {row.prompt}, seed {row.seed}"
            links[f"{PICTURE}{len(links)}"] = graph.output(DRAWN, images=picture, label=told)
    named = dict(reversed(links.items()))  # ComfyUI begins with the last input
    asked = json.dumps({**terms, "rows": [vars(row) for row in rows]})
    first = graph.output(sheet, terms=asked, **others, **named)
    return first, graph.builder.finalize()


def columns_of(pictures: Mapping[str, Tensor], n_columns: int) -> list[Tensor]:
    """IMAGE (m, h, w, 3) of every column from a sheet node's inputs; those of a batch one after the other."""
    every = [pictures[f"{PICTURE}{index}"][..., :3].float().cpu() for index in range(len(pictures))]
    n_rows = len(every) // n_columns
    return [torch.cat(every[first : first + n_rows]) for first in range(0, len(every), n_rows)]


def per_picture(rows: Sequence[Row], n_pictures: int) -> list[Row]:
    """The row of each picture of a column."""
    return [row for row in rows for _ in range(n_pictures // len(rows))]


def sheets(columns: Sequence[Tensor], titles: Sequence[str], labels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The labelled sheet (1, H, W, 3) of all columns side by side, and a small one for the node."""
    layout = Layout(columns=titles, rows=labels, sheets=[""])
    row_by_row = torch.stack(list(columns), 1).flatten(0, 1)
    return compose(row_by_row, layout), compose(smaller(row_by_row), layout)
