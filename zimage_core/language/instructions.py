"""Instructions for a language model, as files: Markdown with a few lines of front matter, the user's before ours.

    ---
    language: en
    version: 1
    ---
    You turn a request …  {facts} … Write {length}, in {language}.

A file's text and version enter every cache key, so that an old workflow finds the old words.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..regular_file import irregularity

FOLDER = Path(__file__).with_name("templates")
MAX_BYTES = 64_000  # of a file; far above any instruction
FENCE = "---\n"


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A file's name, its front matter and its text, in which slots such as {facts} are still open."""

    name: str  # the file's, without the ending
    language: str  # "en" or "zh": the one it is written in
    version: str
    text: str

    def filled(self, slots: Mapping[str, str]) -> str:
        """The text with its slots filled; braces that name none of them stay as they are."""
        names = re.compile("|".join(re.escape("{" + name + "}") for name in slots))
        return names.sub(lambda found: slots[found[0][1:-1]], self.text).strip()


def read_instruction(file: Path) -> Instruction:
    """One file. Raises `ValueError` with a sentence that names it and says what to change."""
    import yaml

    if why := irregularity(file):
        raise ValueError(f"{file.name} {why}; choose another file")
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"{file.name} is larger than {MAX_BYTES // 1000} kB, which no instruction is; shorten it")
    try:
        content = file.read_text("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.name} is not UTF-8 text; save it as UTF-8") from error
    if not content.startswith(FENCE) or f"\n{FENCE}" not in content:
        return _of(file, {}, content)
    front, text = content.removeprefix(FENCE).split(f"\n{FENCE}", 1)
    try:
        found = yaml.safe_load(front)
    except yaml.YAMLError as error:
        raise ValueError(f"{file.name} begins with no YAML; write lines such as 'language: en'") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} begins with no names; write lines such as 'language: en'")
    return _of(file, cast(dict[object, object], found), text)


def _of(file: Path, front: Mapping[object, object], text: str) -> Instruction:
    if not text.strip():
        raise ValueError(f"{file.name} says nothing below its front matter; write the instruction there")
    told = {str(name): str(value) for name, value in front.items()}
    return Instruction(
        name=file.stem,
        language=told.get("language", "en"),
        version=told.get("version", "1"),
        text=text,
    )


def find_instructions(kind: str, folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Files for one kind of work by name, without opening any: those of the user's folders first, then ours."""
    found: dict[str, Path] = {}
    for folder in (*folders, FOLDER / kind):
        for file in sorted(folder.glob("*.md")) if folder.is_dir() else ():
            found.setdefault(file.stem, file)
    return found
