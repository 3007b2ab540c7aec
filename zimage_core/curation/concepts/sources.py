"""Where concepts are from: WordNet, wikis, emojibase, captions; what each file is, and the graph of them together."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine import file_digest
from .emojibase import CHINESE, ENGLISH, read_emojibase
from .graph import ConceptGraph, joined
from .hierarchy import without_circles
from .labels import with_emojis
from .ranked import page_rank
from .search_dump import read_search_dump
from .wikipedia import read_wiki
from .wordnet import read_wordnet


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Folders and files; at least one is needed."""

    wordnet: Path | None = None
    emojibase: Path | None = None
    wikis: tuple[Path, ...] = ()  # folders of SQL dumps, or files of JSON lines
    captions: tuple[Path, ...] = ()  # folders, .jsonl or .txt

    def __post_init__(self) -> None:
        if not (self.wordnet or self.emojibase or self.wikis or self.captions):
            raise ValueError("a graph needs concepts: give --wordnet, --wikipedia, --emojibase or --captions")

    @property
    def count(self) -> int:
        """Of those that are read as a whole."""
        return bool(self.wordnet) + len(self.wikis) + bool(self.emojibase)


def digest_of(sources: Sources, captions: str) -> str:
    """SHA-256 of the contents of all that is read, but for captions, whose digest is given."""
    digest = hashlib.sha256(captions.encode())
    for file in files_of(sources):
        digest.update(f"{file.name}\0{file_digest(file)}\0".encode())
    return digest.hexdigest()


def files_of(sources: Sources) -> Iterator[Path]:
    """In one order."""
    if sources.wordnet:
        names = ("data.noun", "index.noun", "noun.exc", "cntlist.rev", "index.verb", "index.adj", "index.adv")
        yield from filter(Path.is_file, (sources.wordnet / name for name in names))
    for wiki in sources.wikis:
        if not wiki.exists():
            raise ValueError(f"there is no {wiki}: give the folder of a wiki's SQL dumps, or a file of JSON lines")
        yield from sorted((*wiki.glob("*.sql"), *wiki.glob("*.sql.gz"))) if wiki.is_dir() else [wiki]
    if sources.emojibase:
        places = (sources.emojibase / language for language in (ENGLISH, CHINESE))
        found = (place / f"{name}.json" for place in places for name in ("data", "messages"))
        yield from filter(Path.is_file, found)


def graphs_of(sources: Sources) -> Iterator[ConceptGraph]:
    """The graph of all sources so far, after each of them; emojis take their places in what was there before."""
    graph = joined([])
    if sources.wordnet:
        yield (graph := read_wordnet(sources.wordnet))
    for wiki in sources.wikis:
        read = read_wiki(wiki) if wiki.is_dir() else read_search_dump(wiki)
        yield (graph := joined([graph, opened(read)]))
    if sources.emojibase:
        yield with_emojis(graph, read_emojibase(sources.emojibase))


def opened(graph: ConceptGraph) -> ConceptGraph:
    """A graph whose categories, which people made, do not hold each other in circles."""
    return replace(graph, parents=without_circles(graph.parents, page_rank(graph.links, len(graph.concepts))))
