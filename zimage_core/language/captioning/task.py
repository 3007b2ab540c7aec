"""One line of a job: a picture or a pair becomes a record, unless there is one that stands."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ...chat_server import ChatServerError
from ..back_end import BackEnd, Text
from . import text_file
from .caption import Caption, Known, Wish, caption
from .difference import Pair, difference
from .instructions import DIFFERENCE, Instructions
from .picture_file import PictureFile, digest_of, facts_beside, read_picture
from .records import Key, Record

IN_TEXT_FILE = "written in its text file"

Read = Callable[[Image.Image], Sequence[str]]


class Task(NamedTuple):
    """What one caption is about."""

    picture: Path
    target: Path | None = None

    @property
    def key(self) -> Key:
        """As its record has it; a target in another folder is named with its folder."""
        if self.target is None:
            return self.picture.name, ""
        is_beside = self.target.parent == self.picture.parent
        return self.picture.name, self.target.name if is_beside else f"{self.target.parent.name}/{self.target.name}"


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Who writes captions, and what they are told."""

    wish: Wish
    back_end: BackEnd
    instructions: Instructions
    read: Read | None = None  # lines of text that a reader is sure of
    reader: str = ""  # its name
    on_text: Callable[[Text], object] | None = None
    _captions: dict[str, str] = field(default_factory=dict[str, str])  # of a difference's pictures, by their digests

    def record(self, task: Task, old: Record | None) -> Record:
        """The old record where it stands, or a person wrote or approved it, else a new one.

        Raises `ChatServerError`; every other fault stands in the record.
        """
        if old and old.text and (old.by == "person" or old.approved):
            return replace(old, problem="")
        try:
            digests = [digest_of(file) for file in task if file]
            facts = facts_beside(task.picture)
        except ValueError as error:
            return self.failed(task, str(error), old)
        redone = old.redone if old else 0
        wish = replace(self.wish, seed=(self.wish.seed + redone) % 2**64)
        digest = self._hash(digests, facts, wish)
        if old and old.hash == digest and not old.problem:
            return old
        try:
            files = [read_picture(file) for file in task if file]
            written, lettering = self._written(files, facts, wish)
        except ChatServerError:
            raise
        except ValueError as error:
            return self.failed(task, str(error), old)
        return replace(
            self._empty(task, old),
            text=written.text,
            problem=written.problem,
            note="; ".join(dict.fromkeys(file.note for file in files if file.note)),
            seed=wish.seed,
            lettering=list(lettering),
            hash=digest,
        )

    def failed(self, task: Task, problem: str, old: Record | None) -> Record:
        """A record that says why there is no new text; an old one stays."""
        return replace(old, problem=problem) if old and old.text else replace(self._empty(task, old), problem=problem)

    def _written(self, files: Sequence[PictureFile], facts: Mapping[str, str], wish: Wish) -> tuple[Caption, list[str]]:
        pictures = [file.picture for file in files]
        if wish.kind == DIFFERENCE:
            captions = [self._caption_for_pair(file, wish) for file in files]
            pair = Pair(pictures[0], pictures[1], (captions[0], captions[1]))
            return difference(pair, self.back_end, self.instructions, wish, self.on_text), []
        [picture], [instruction] = pictures, self.instructions.files
        lettering = list(self.read(picture)) if self.read else []
        known = Known(lettering=tuple(lettering), facts=facts)
        return caption(picture, self.back_end, instruction, wish, known, self.on_text), lettering

    def _caption_for_pair(self, file: PictureFile, wish: Wish) -> str:
        """Each picture is captioned once, however many pairs it is in."""
        if not self.back_end.reads_instructions:
            return ""
        if file.digest not in self._captions:
            medium = replace(wish, kind="medium")
            known = Known(lettering=tuple(self.read(file.picture)) if self.read else ())
            first = self.instructions.files[0]
            self._captions[file.digest] = caption(file.picture, self.back_end, first, medium, known, self.on_text).text
        return self._captions[file.digest]

    def _empty(self, task: Task, old: Record | None) -> Record:
        picture, target = task.key
        return Record(
            picture=picture,
            target=target,
            kind=self.wish.kind,
            language=self.wish.language,
            text="",
            back_end=self.back_end.name,
            template=self.instructions.name,
            redone=old.redone if old else 0,
            text_file=old.text_file if old else "",
        )

    def _hash(self, digests: Sequence[str], facts: Mapping[str, str], wish: Wish) -> str:
        """Of everything that decides the words."""
        decides = [
            list(digests),
            dict(facts),
            self.back_end.name,
            self.instructions.digest,
            [wish.kind, wish.language, wish.seed, repr(wish.budgets), repr(wish.sampling)],
            self.reader,
        ]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def file_of(task: Task) -> Path:
    """The text file beside the picture."""
    return text_file.text_file(task.picture, task.target)


def persons(task: Task, old: Record | None, writer: Writer, models: Collection[str] = ()) -> Record | None:
    """A record of the text that a person wrote beside the picture, or of why it cannot be read; None without one.

    `models` are hashes of texts there that are a model's, besides the one that the old record tells.
    """
    try:
        return told_beside(writer.failed(task, "", old), file_of(task), models)
    except ValueError as error:
        return writer.failed(task, str(error), old)


def told_beside(record: Record, file: Path, models: Collection[str] = ()) -> Record | None:
    """The record in the words that a person wrote into its text file; None where there are none.

    Raises `ValueError` with one sentence for a file that cannot be read.
    """
    found = text_file.persons_text(file, {*models, record.text_file})
    if found is None:
        return None
    return replace(
        record,
        text=found,
        problem="",
        by="person",
        approved=True,
        back_end="",
        template="",
        note=IN_TEXT_FILE,
        text_file=text_file.hash_of(found),
    )


def kept(record: Record, file: Path) -> Record:
    """A record whose text stands in its text file."""
    if record.text_file == text_file.hash_of(record.text) and not text_file.is_blank(file):
        return record
    return replace(record, text_file=text_file.write_beside(file, record.text))
