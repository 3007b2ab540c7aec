"""A folder captioned as a job of the queue. Cancel keeps what is written; the same job goes on where it stopped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from comfy import model_management
from comfy.utils import ProgressBar
from PIL import Image

from .....zimage_core.language.captioning import (
    DIFFERENCE,
    Job,
    Outcome,
    Table,
    Wish,
    Writer,
    caption_folder,
    read_instructions,
)
from .....zimage_core.scoring.lettering import sure_lines
from ...loading import prompt_files
from .. import scores
from ..input_folders import files_state
from . import captions, pictures
from .captioners import captioner_of, captioner_state

KINDS = [*captions.KINDS, DIFFERENCE]
FILE = "zimage_captions.{}.jsonl"  # in the folder of the pictures
MISSING = "waiting", "failed"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which captions: the values of the node's widgets that say so."""

    folder: str
    kind: str
    language: str
    targets: str
    text_files: bool

    def table(self) -> Table:
        """The captions. Raises ValueError with one sentence."""
        if self.kind not in KINDS or self.language not in captions.LANGUAGES:
            raise ValueError(f"there are no captions of kind {self.kind[:20]!r} in {self.language[:20]!r}")
        folder, language = pictures.folder_of(self.folder), captions.LANGUAGES[self.language]
        out = folder / FILE.format(f"{self.kind}.{language}")
        return Table(
            folder=folder,
            out=out,
            kind=self.kind,
            language=language,
            targets=pictures.target_folder_of(self.targets) if self.kind == DIFFERENCE else None,
            writes_text_files=self.text_files,
            earlier=_earlier(folder, out),
        )


class Told(NamedTuple):
    """What a job says at its end."""

    report: str
    file: str


def caption_pictures(place: Place, captioner: str, seed: int, only: Collection[str] | None = None) -> Told:
    """Write what is missing, of some pictures if their names are given.

    Raises ValueError with one sentence where no picture has a caption then.
    """
    table = place.table()
    try:
        job = _job(table, captioner, seed)
        return _captioned(table, job if only is None else replace(job, only=frozenset(only)))
    except OSError as error:
        raise ValueError(
            f"The captions cannot be written to {table.folder.name} ({error.strerror or 'no such name'}). Make room or "
            "allow writing there."
        ) from error


def _captioned(table: Table, job: Job) -> Told:
    outcome = Outcome()
    bar = None
    for progress in caption_folder(job):
        bar = bar or ProgressBar(progress.total)
        bar.update_absolute(progress.done, progress.total)
        outcome.add(progress)
        model_management.throw_exception_if_processing_interrupted()
    if not outcome.told and outcome.failed:
        raise ValueError(f"No picture got a caption: {outcome.failed[0].problem}.")
    return Told("\n".join([str(outcome), *outcome.problems]), str(table.out))


def state(place: Place, captioner: str) -> str | float:
    """Changes with pictures, captioner and instructions; as long as captions are missing it is never the same."""
    try:
        table = place.table()
        rows = table.rows()
        if any(row.state in MISSING for row in rows):
            return float("nan")
        seen = files_state({file for row in rows for file in row.task if file})
    except (ValueError, OSError) as error:
        return str(error)
    return f"{captioner_state(captioner)} {captions.instruction_state()} {seen}"


def _job(table: Table, captioner: str, seed: int) -> Job:
    back_end = captioner_of(captioner)
    reader = scores.installed_reader() if back_end.reads_instructions else None

    def read(picture: Image.Image) -> Sequence[str]:
        return sure_lines(reader.read(picture, table.language)) if reader else ()

    writer = Writer(
        wish=Wish(kind=table.kind, language=table.language, seed=seed),
        back_end=back_end,
        instructions=read_instructions(
            table.kind, table.language, [prompt_files.user_folder() / captions.INSTRUCTIONS]
        ),
        read=read if reader else None,
        reader=reader.name if reader else "",
        on_text=captions.interruptible,
    )
    return Job(
        folder=table.folder,
        out=table.out,
        writer=writer,
        targets=table.targets,
        writes_text_files=table.writes_text_files,
        earlier=table.earlier,
    )


def _earlier(folder: Path, out: Path) -> tuple[Path, ...]:
    """Other captions of the folder, whose texts beside pictures these may replace."""
    return tuple(file for file in sorted(folder.glob(FILE.format("*"))) if file != out)
