"""A search as one HTML page: a contact sheet for each query, the best first."""

from html import escape
from pathlib import Path

from ...atomic_file import write_text
from ...counted import counted
from ...html_page import figure_html, page
from ..engine import Record
from ..profiling.page_parts import thumbnail
from .search import found_in


def write_search_page(found: Path, record: Record, out: Path) -> None:
    """Write the page of a search; pictures that have gone since have a word instead."""
    parts = [f"<h1>Search</h1><p>By {escape(str(record.summary['by']))}.</p>"]
    by_query = found_in(found)
    for query in record.parameters["queries"]:
        rows = by_query.get(query, [])
        shown = "".join(
            figure_html(thumbnail(Path(row["path"])), f"{row['rank']}. {Path(row['path']).name}: {row['score']:.4g}")
            for row in rows
        )
        parts.append(f'<h2>{escape(query)}: {counted(len(rows), "picture")}</h2><div class="case">{shown}</div>')
    write_text(out, page("Search", "\n".join(parts)))
