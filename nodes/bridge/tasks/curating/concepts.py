"""A map of the concepts of a folder's captions on the canvas: what is common, what is rare, and what is missing."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import folder_paths

from .....zimage_core.counted import counted
from .....zimage_core.curation.captions import captions_of
from .....zimage_core.curation.concepts import Sources
from .....zimage_core.curation.concepts.concept_page import concept_page
from .....zimage_core.curation.concepts.graph import ConceptGraph, joined
from .....zimage_core.curation.concepts.sources import graphs_of
from .....zimage_core.curation.in_memory.folder_concepts import FolderConcepts, concepts_among
from .picture_list import PictureList, below_output, found_in, lines, list_file, with_progress, write_list

NONE = "none"
PLACE = "concepts"  # below models
SHOWN = 12  # concepts of a list on the node
DUMPS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")  # of pages, a line each
PHRASE = "phrase:"  # before the name of a concept that captions named

Row = Mapping[str, Any]


class Told(NamedTuple):
    """What the node puts out, and what the page shows on it."""

    report: str
    brief: str  # the report without what the page shows as tables
    file: str  # the concepts, a line each
    shown: dict[str, Any]


def knowledge_names() -> list[str]:
    """For the dropdown: what of models/concepts tells of the world."""
    place = Path(folder_paths.models_dir) / PLACE
    inside = sorted(place.iterdir()) if place.is_dir() else []
    return [NONE, *(each.name for each in inside if _sources(each) is not None)]


def map_folder(folder: str, wanted: str, least_uses: int, knowledge: str, pictures: PictureList | None) -> Told:
    """Make the map and write it. Raises ValueError with one sentence."""
    name, found = found_in(folder, pictures)
    captions = [said for said in captions_of([each.path for each in found]) if said]
    if not captions:
        raise ValueError(
            "None of these pictures has a caption, which the map is made of: write some with Z-Image Caption Folder."
        )
    asked = list(dict.fromkeys(filter(None, map(str.strip, wanted.splitlines()))))
    mapped = concepts_among(captions, _known(knowledge), least_uses, asked, with_progress)
    if not mapped.rows:
        raise ValueError(f"No words are used by {counted(least_uses, 'picture')}: make least uses smaller.")
    file, page = list_file(name, "concepts.jsonl"), list_file(name, "concepts.html")
    write_list(file, lines(map(_line, sorted(mapped.rows, key=_rarest))))
    write_list(page, concept_page(mapped.rows, mapped.summary))
    tables = _tables(mapped)
    told = [
        f"{counted(len(captions), 'picture')} with captions in {name}; concepts that are there: "
        f"{mapped.summary['covered']} of {len(mapped.rows)}."
    ]
    listed = [f"{title}: {_listed(rows)}" for title, rows in tables.items() if rows]
    where = f"Map: {below_output(page)}"
    return Told(
        report="\n".join([*told, *listed, where]),
        brief="\n".join([*told, where]),
        file=str(file),
        shown={
            "pictures": len(captions),
            "tables": [{"title": title, "rows": rows} for title, rows in tables.items() if rows],
            "page": {
                "filename": page.name,
                "subfolder": page.parent.relative_to(folder_paths.get_output_directory()).as_posix(),
                "type": "output",
            },
        },
    )


def _tables(mapped: FolderConcepts) -> dict[str, list[dict[str, Any]]]:
    """The ends of the map, by what they are called in the report; none is common and rare at once."""
    there = sorted((row for row in mapped.rows if row["coverage"]), key=lambda row: (-row["coverage"], *_short(row)))
    half = -(-len(there) // 2)
    rarest = sorted(there[half:], key=lambda row: (row["coverage"], *_short(row)))
    missing = [row for row in mapped.rows if not row["coverage"] and _names(row).isdisjoint(mapped.wanted)]
    missing.sort(key=lambda row: (-row["pagerank"], *_short(row)))
    wanted = [{"en": line, "zh": "", "count": times} for line, times in mapped.wanted.items()]
    return {
        "Wanted": sorted(wanted, key=lambda each: each["count"]),
        "Most common": _firsts(there[:half]),
        "Rarest": _firsts(rarest),
        "Missing": _firsts(missing),
    }


def _firsts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{"en": row["name_en"], "zh": row["name_zh"], "count": row["coverage"]} for row in rows[:SHOWN]]


def _names(row: Row) -> set[str]:
    return {row["name_en"], row["name_zh"]}


def _short(row: Row) -> tuple[int, str]:
    """Short names first, which say most by themselves."""
    name = row["name_en"] or row["name_zh"]
    return len(name), name


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row['en'] or row['zh']} {row['count']}" for row in rows)


def _rarest(row: Row) -> tuple[float, str]:
    return -row["rarity"], row["concept"]


def _line(row: Row) -> str:
    """A concept as rounds of curation read it, with what was counted."""
    words = list(dict.fromkeys([*row["words_en"], *row["words_zh"]]))
    counts = {key: row[key] for key in ("parents", "captions", "coverage", "rarity")}
    name = row["concept"].removeprefix(PHRASE)
    return json.dumps({"concept": name, "prompts": words[:1], "words": words, **counts}, ensure_ascii=False)


def _known(knowledge: str) -> ConceptGraph:
    """The graph of what a name of the dropdown tells; an empty one for none."""
    if knowledge == NONE:
        return joined([])
    if knowledge not in knowledge_names():
        raise ValueError(f"There is no {knowledge!r} in models/{PLACE}; choose another, or put it there.")
    return _read(Path(folder_paths.models_dir) / PLACE / knowledge)


@lru_cache(1)
def _read(place: Path) -> ConceptGraph:
    sources = _sources(place)
    return list(graphs_of(sources))[-1] if sources else joined([])


def _sources(place: Path) -> Sources | None:
    """What a file or folder holds, by its files' names."""
    if (place / "data.noun").is_file():
        return Sources(wordnet=place)
    if (place / "en" / "data.json").is_file():
        return Sources(emojibase=place)
    is_wiki = any(place.glob("*-page.sql*")) if place.is_dir() else place.name.endswith(DUMPS)
    return Sources(wikis=(place,)) if is_wiki else None
