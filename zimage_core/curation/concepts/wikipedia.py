"""A wiki's graph from its public SQL dumps: articles that link to each other, under categories.

A folder with `enwiki-…-page.sql.gz`, `linktarget`, `pagelinks` and `categorylinks`, as dumps.wikimedia.org has them;
`redirect` and `langlinks` are read where they are there. All titles are in memory, and 16 bytes a link.
"""

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .dump_tables import columns_in, rows_of_dump, unquoted
from .graph import Concept, ConceptGraph, Edges, senses_of

ARTICLE, CATEGORY = b"0", b"14"  # namespaces
ENDINGS = (".sql.gz", ".sql")
ENGLISH, CHINESE = "en", "zh"
OTHER = {ENGLISH: CHINESE, CHINESE: ENGLISH}

Target = tuple[bytes, bytes]  # namespace, title


class Pages(NamedTuple):
    """Articles and categories by number."""

    titles: list[Target]
    number_of_id: dict[bytes, int]
    number_of_title: dict[Target, int]  # redirects included


def read_wiki(folder: Path) -> ConceptGraph:
    """The graph of a wiki; titles are names in its language, and of a link to the other language's wiki in that."""
    file = table_in(folder, "page")
    wiki = file.name.partition("-")[0]
    language = CHINESE if wiki.startswith(CHINESE) else ENGLISH
    pages = read_pages(folder, file)
    targets = read_targets(folder, pages)
    other = other_names(folder, pages, OTHER[language])
    concepts = tuple(
        concept_of(wiki, target, language, other.get(number, "")) for number, target in enumerate(pages.titles)
    )
    return ConceptGraph(
        concepts,
        read_edges(needed(folder, "pagelinks"), "pl", pages, targets),
        read_edges(needed(folder, "categorylinks"), "cl", pages, targets),
        senses_of(concepts),
    )


def table_in(folder: Path, table: str) -> Path:
    """A table's dump."""
    return found if (found := optional(folder, table)) else needed(folder, table)


def needed(folder: Path, table: str) -> Path:
    """A table's dump, or a sentence."""
    if found := optional(folder, table):
        return found
    raise ValueError(
        f"{folder} holds no …-{table}.sql.gz: it takes the tables page, pagelinks, linktarget and categorylinks of one "
        "wiki's dump"
    )


def optional(folder: Path, table: str) -> Path | None:
    """A table's dump, if it is there; more than one is refused."""
    found = sorted(each for ending in ENDINGS for each in folder.glob(f"*-{table}{ending}"))
    if len(found) > 1:
        raise ValueError(f"{folder} holds {len(found)} dumps of the table {table}: give a folder with one wiki's")
    return found[0] if found else None


def read_pages(folder: Path, file: Path) -> Pages:
    """Articles and categories; a redirect is another title of where it leads."""
    pages, redirects = Pages([], {}, {}), dict[bytes, Target]()
    wanted = ("page_id", "page_namespace", "page_title", "page_is_redirect")
    for number, namespace, quoted, is_redirect in rows_of_dump(file, wanted):
        target = (namespace, unquoted(quoted))
        if namespace not in (ARTICLE, CATEGORY):
            continue
        if is_redirect == b"1":
            redirects[number] = target
        else:
            pages.number_of_id[number] = pages.number_of_title[target] = len(pages.titles)
            pages.titles.append(target)
    if (table := optional(folder, "redirect")) is not None:
        for source, namespace, quoted in rows_of_dump(table, ("rd_from", "rd_namespace", "rd_title")):
            reached = pages.number_of_title.get((namespace, unquoted(quoted)))
            if source in redirects and reached is not None:
                pages.number_of_title.setdefault(redirects[source], reached)
    return pages


def read_targets(folder: Path, pages: Pages) -> Mapping[bytes, int]:
    """What the table linktarget calls the pages; none in dumps from before it."""
    table = optional(folder, "linktarget")
    wanted = ("lt_id", "lt_namespace", "lt_title")
    rows = rows_of_dump(table, wanted) if table else ()
    return {
        number: page
        for number, namespace, title in rows
        if (page := pages.number_of_title.get((namespace, unquoted(title)))) is not None
    }


def read_edges(table: Path, prefix: str, pages: Pages, targets: Mapping[bytes, int]) -> Edges:
    """Pairs of pages from pagelinks or categorylinks; links to and from other pages are left out."""
    found = array("q")
    for source, reached in edge_rows(table, prefix, pages, targets):
        number = pages.number_of_id.get(source)
        if number is not None and reached is not None and number != reached:
            found.extend((number, reached))
    return np.frombuffer(found, np.int64).reshape(-1, 2).T.copy() if found else np.empty((2, 0), np.int64)


def edge_rows(
    table: Path, prefix: str, pages: Pages, targets: Mapping[bytes, int]
) -> Iterator[tuple[bytes, int | None]]:
    """Source and target, by its number in linktarget or, in older dumps, by its title."""
    columns = columns_in(table)
    if f"{prefix}_target_id" in columns and targets:
        for source, target in rows_of_dump(table, (f"{prefix}_from", f"{prefix}_target_id")):
            yield source, targets.get(target)
    elif prefix == "cl":
        for source, title in rows_of_dump(table, ("cl_from", "cl_to")):
            yield source, pages.number_of_title.get((CATEGORY, unquoted(title)))
    else:
        if "pl_title" not in columns:
            raise ValueError(f"{table} needs the table linktarget beside it: fetch that, too")
        for source, namespace, title in rows_of_dump(table, ("pl_from", "pl_namespace", "pl_title")):
            yield source, pages.number_of_title.get((namespace, unquoted(title)))


def other_names(folder: Path, pages: Pages, language: str) -> Mapping[int, str]:
    """Titles in another language's wiki."""
    table = optional(folder, "langlinks")
    rows = rows_of_dump(table, ("ll_from", "ll_lang", "ll_title")) if table else ()
    return {
        pages.number_of_id[source]: as_text(unquoted(title)).rpartition(":")[2]
        for source, lang, title in rows
        if unquoted(lang) == language.encode() and source in pages.number_of_id
    }


def concept_of(wiki: str, target: Target, language: str, other: str) -> Concept:
    """A page as a concept."""
    namespace, title = target
    name = as_text(title)
    kind = "category" if namespace == CATEGORY else "article"
    names = {language: (name,), OTHER[language]: (other,) if other else ()}
    prefix = "Category:" if namespace == CATEGORY else ""
    return Concept(f"{wiki}:{prefix}{name}", names[ENGLISH], names[CHINESE], kind)


def as_text(title: bytes) -> str:
    """A title as one reads it."""
    return title.decode("utf-8", "replace").replace("_", " ")
