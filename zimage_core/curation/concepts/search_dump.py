"""A wiki's graph from JSON lines: a page a line, as Wikimedia's CirrusSearch dumps have them.

`{"title": "Dog", "namespace": 0, "language": "en", "outgoing_link": ["Wolf"], "category": ["Mammals"],
"redirect": [{"title": "Hound"}]}`; only `title` is needed. Lines without one (`{"index": …}`) are passed over. The file
is read twice, so that only titles and links are in memory.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .graph import Concept, ConceptGraph, edges_of, senses_of
from .text_lines import lines_of

ARTICLE, CATEGORY = 0, 14
Key = tuple[int, str]  # namespace, title


def read_search_dump(file: Path) -> ConceptGraph:
    """Articles, and the categories they are in."""
    numbers, concepts = dict[Key, int](), list[Concept]()

    def number_of(key: Key, language: str) -> int:
        if key not in numbers:
            numbers[key] = len(concepts)
            concepts.append(concept_of(key, language))
        return numbers[key]

    also = dict[Key, int]()
    for page in pages_in(file):
        number = number_of(key_of(page), language_of(page))
        for title in texts(page, "redirect"):
            also.setdefault((ARTICLE, plain(title)), number)
        for title in texts(page, "category"):
            number_of((CATEGORY, plain(title)), language_of(page))
    if not concepts:
        raise ValueError(f"{file} holds no page with a title: give JSON lines such as a CirrusSearch dump's")
    reached: Mapping[Key, int] = {**also, **numbers}
    links, parents = list[tuple[int, int]](), list[tuple[int, int]]()
    for page in pages_in(file):
        number = numbers[key_of(page)]
        found = (reached.get((ARTICLE, plain(title))) for title in texts(page, "outgoing_link"))
        links += [(number, other) for other in found if other is not None and other != number]
        above = (numbers[CATEGORY, plain(title)] for title in texts(page, "category"))
        parents += [(number, other) for other in above if other != number]
    return ConceptGraph(tuple(concepts), edges_of(links), edges_of(parents), senses_of(concepts))


def pages_in(file: Path) -> Iterator[dict[str, Any]]:
    """Articles and categories."""
    for number, line in lines_of(file):
        try:
            page = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{file}, line {number} is not JSON ({error}): remove that line") from error
        if not isinstance(page, dict) or page.get("namespace", ARTICLE) not in (ARTICLE, CATEGORY):
            continue
        if isinstance(page.get("title"), str):
            yield page


def key_of(page: Mapping[str, Any]) -> Key:
    """What a page is called; a category without the word before it."""
    namespace = page.get("namespace", ARTICLE)
    title = plain(page["title"])
    return namespace, title.partition(":")[2] or title if namespace == CATEGORY else title


def plain(title: str) -> str:
    """A title with spaces."""
    return title.replace("_", " ")


def texts(page: Mapping[str, Any], name: str) -> list[str]:
    """Titles in a field: texts, or objects with one."""
    found = page.get(name) or []
    titles = (
        [each.get("title") if isinstance(each, dict) else each for each in found] if isinstance(found, list) else []
    )
    return [each for each in titles if isinstance(each, str)]


def language_of(page: Mapping[str, Any]) -> str:
    """English where it is not told."""
    return str(page.get("language", "en"))


def concept_of(key: Key, language: str) -> Concept:
    """A page as a concept."""
    namespace, title = key
    is_category, is_chinese = namespace == CATEGORY, language.startswith("zh")
    names = (title,)
    return Concept(
        f"{language}wiki:{'Category:' * is_category}{title}",
        () if is_chinese else names,
        names if is_chinese else (),
        "category" if is_category else "article",
    )
