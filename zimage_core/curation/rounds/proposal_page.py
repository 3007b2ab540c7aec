"""A round as one HTML page: of each concept in need what the model drew, and beside it what is proposed."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...atomic_file import write_text
from ...counted import counted
from ...html_page import figure_html, page
from ..profiling.page_parts import thumbnail
from .drawn import Drawn
from .needs import Need

PAGE = "proposal.html"
SHOWN = 12  # pictures of a kind


def write_proposal_page(
    folder: Path, needs: Sequence[Need], drawn: Sequence[Drawn], lines: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page of a round into its folder."""
    parts = [concept_html(folder, each, drawn, lines) for each in needs]
    write_text(folder / PAGE, page("Proposal", "<h1>Proposal</h1>" + "\n".join(parts)))


def concept_html(folder: Path, need: Need, drawn: Sequence[Drawn], lines: Sequence[Mapping[str, Any]]) -> str:
    """One concept."""
    name = need.concept.name
    shown = [figure_html(thumbnail(folder / each.file), told(each.value)) for each in drawn if each.concept == name]
    proposed = [line for line in lines if line["concept"] == name]
    pictures = [
        figure_html(thumbnail(Path(line["file_name"])), f"{Path(line['file_name']).name}: {line['captions'][0]}")
        for line in proposed[:SHOWN]
    ]
    return (
        f"<h2>{escape(name)}: need {need.need:.3f}, score {need.score:.4g}, rarity {need.rarity:.3f}</h2>"
        f'<div class="case"><p>drawn</p>{"".join(shown[:SHOWN])}</div>'
        f'<div class="case"><p>{counted(len(proposed), "picture")} proposed</p>{"".join(pictures)}</div>'
    )


def told(value: float | None) -> str:
    """A picture's score."""
    return "no score" if value is None else f"{value:.4g}"
