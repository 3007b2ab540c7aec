"""What `zimage data search` does with its parsed options."""

import argparse
import json
from pathlib import Path

import numpy as np

from ..counted import counted
from ..curation.embedding import picture_for
from ..curation.engine import Record, record_of_stage
from ..curation.search import ByCaptions, ByVectors, find_pictures, found_in, write_search_page
from .data_stages import check_table, renewed, silence_pillow
from .data_vectors import choice_of_vectors, vectors_of_words
from .files import check_page

SHOWN = 10  # hits of a query that are printed


def search_pictures(options: argparse.Namespace) -> None:
    """Write the hits and the page, and print the first."""
    check_table(options.out, "search")
    page: Path = options.page or options.out.with_suffix(".html")
    check_page(page)
    silence_pillow()
    is_new, record = renewed(find_pictures(options.vectors, options.out, search_of(options)), options.out)
    write_search_page(options.out, record, page)
    found = found_in(options.out)
    result = {"file": str(options.out), "page": str(page), "new": is_new, **record.summary, "found": found}
    print(json.dumps(result, ensure_ascii=False) if options.json else hits_told(record, options.out, page))


def search_of(options: argparse.Namespace) -> ByVectors | ByCaptions:
    """What is searched for, and by whom: words by captions unless a folder is given whose model compares them."""
    record = record_of_stage(options.vectors, "embed", ("path", "vector"))
    if options.text and not options.encoder:
        return ByCaptions(told=tuple(dict.fromkeys(options.text)), most=options.most)
    choice = choice_of_vectors(record, options.encoder, options.device)
    if options.text:
        told = tuple(dict.fromkeys(options.text))
        vectors = vectors_of_words(choice, told)
    else:
        told = tuple(dict.fromkeys(map(str, options.picture)))
        vectors = choice.load().pictures([picture_for(Path(each)) for each in told])
    return ByVectors(
        told=told, vectors=np.asarray(vectors, np.float32), reader=f"cosine, {choice.name}", most=options.most
    )


def hits_told(record: Record, out: Path, page: Path) -> str:
    """The result for a person."""
    lines = list[str]()
    found = found_in(out)
    for query in record.parameters["queries"]:
        rows = found.get(query, [])
        lines.append(f"{query}: {counted(len(rows), 'picture')} by {record.summary['by']}")
        lines += [f"  {row['rank']:>3}  {row['score']:.4f}  {row['path']}" for row in rows[:SHOWN]]
    return "\n".join(lines) + f"\n{out}, {page}: all of them"
