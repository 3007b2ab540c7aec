"""Concepts that a model is asked for: a list of prompts, a table of JSON lines, or a map that `data graph` wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.captions import rows_of
from ...data.prompts import read_prompts
from ..engine import parquet

MAP = ("concept", "name_en", "name_zh", "rarity")  # columns of a concept map
MORE = ("words_en", "words_zh")  # columns that it may have, too


@dataclass(frozen=True, kw_only=True)
class Concept:
    """Something that pictures show."""

    name: str
    prompts: tuple[str, ...]  # with which it is drawn
    words: tuple[str, ...] = ()  # each of which captions would say of it; none where only prompts are known
    rarity: float | None = None  # None: counted in the captions
    lettering: tuple[str, ...] = ()  # texts that its pictures should show

    @property
    def asked(self) -> tuple[str, ...]:
        """What a pool is searched for."""
        return self.words or self.prompts


def read_concepts(file: Path, most: int) -> list[Concept]:
    """The concepts of a file: of a map the rarest, and no more than `most`. Raises ValueError with one sentence."""
    if not file.is_file():
        raise ValueError(f"there is no file {file}: give a .txt, a .jsonl, or the .parquet of `zimage data graph`")
    kinds = {".parquet": of_map, ".jsonl": of_lines}
    found = kinds[file.suffix](file) if file.suffix in kinds else of_prompts(file)
    concepts = list({each.name: each for each in found}.values())
    if file.suffix == ".parquet":
        concepts.sort(key=lambda each: (-(each.rarity or 0.0), each.name))
    if not concepts:
        raise ValueError(f"{file} has no concept in it; write one a line")
    return concepts[:most]


def of_prompts(file: Path) -> Iterator[Concept]:
    """A prompt a line, each a concept by itself."""
    return (Concept(name=prompt, prompts=(prompt,)) for prompt in read_prompts(file))


def of_lines(file: Path) -> Iterator[Concept]:
    """`{"concept": "red fox", "prompts": ["a red fox in the snow"], "words": ["red fox", ...]}`, the last optional."""
    for row in rows_of(file):
        name = row.values.get("concept")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f'{file}, line {row.number}, names no "concept"')
        lists = {key: texts(row.values, key, file, row.number) for key in ("prompts", "words", "lettering")}
        yield Concept(
            name=name,
            prompts=lists["prompts"] or (name,),
            words=lists["words"] or (name,),
            lettering=lists["lettering"],
        )


def texts(values: Mapping[str, Any], key: str, file: Path, number: int) -> tuple[str, ...]:
    """A list of texts, or none."""
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise ValueError(f'{file}, line {number}: "{key}" has to be a list of texts')
    return tuple(found)


def of_map(file: Path) -> Iterator[Concept]:
    """Those with a name; it is the prompt, in English where there is one."""
    names: list[str] = parquet().read_schema(file).names
    if missing := sorted(set(MAP) - set(names)):
        raise ValueError(f"{file} lacks {', '.join(missing)}: give a map that `zimage data graph` wrote")
    columns = [*MAP, *(each for each in MORE if each in names)]
    for row in parquet().read_table(file, columns=columns).to_pylist():
        words = [row["name_en"], row["name_zh"], *(row.get("words_en") or []), *(row.get("words_zh") or [])]
        said = tuple(dict.fromkeys(word for word in words if word))
        if said:
            yield Concept(name=row["concept"], prompts=said[:1], words=said, rarity=row["rarity"])
