"""A folder of pictures with captions, as trainers for other models lay it out.

`fox.jpg` is described by `fox.txt`, by `fox.json`, or by a line of `metadata.jsonl` or `captions.jsonl` that names it
(`{"file_name": "fox.jpg", "text": "a fox"}`). `fox.mask.png`, or `masks/fox.png`, says which parts of it count.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from .captions import TABLES, rows_of
from .listing import Entry, Files, ListedExamples, Listing
from .named import Named
from .picture_files import PICTURE_ENDINGS, file_names, is_picture_name, purpose_of, stem_of

TEXT_ENDING = ".txt"
MASK_FOLDERS = ("masks", "mask")
PICTURE, CAPTION, LINE, MASK = "picture", "caption", "a line", "mask"


def read_picture_folder(
    folder: Path, caption: str = "", *, text_ending: str = TEXT_ENDING, only: Collection[str] | None = None
) -> ListedExamples:
    """The pictures of a folder with their captions, in the order of their names; most captions are read when needed.

    `caption` is that of pictures without one, `only` names the files that count. Raises ValueError with one sentence
    for a folder without pictures, for pictures without captions, and for tables that cannot be read.
    """
    check_folder(folder)
    listing, missing = Listing(), Named()
    listing.add(each for each in _entries(folder, text_ending) if counts(each, only))
    examples = listing.kept(_files(listing, missing, has_caption=bool(caption)), folder, caption)
    if not len(examples):
        raise ValueError(f"{folder} holds no pictures ({', '.join(PICTURE_ENDINGS)}); put them there")
    if missing.count:
        raise ValueError(
            f"{missing.count} of {len(examples)} pictures in {folder} have no caption: {missing}. Write a text "
            f"of the same name beside each, such as {stem_of(missing.names[0])}{text_ending}, or give one caption for "
            "all"
        )
    examples.check()
    return examples


def counts(entry: Entry, only: Collection[str] | None) -> bool:
    """Whether an entry is of a picture that is read; what belongs to others is not asked for."""
    return only is None or entry.role != PICTURE or entry.file in only


def check_folder(folder: Path) -> None:
    """Raise ValueError where there is none."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to train on")


def caption_entries(folder: Path, below: str = "", text_ending: str = TEXT_ENDING) -> Iterator[Entry]:
    """Texts and JSON files, and lines of tables that name a file; `below` is the folder's path in the dataset's."""
    for name in file_names(folder):
        if name in TABLES:
            for row in rows_of(folder / name):
                if isinstance(about := row.values.get("file_name"), str):
                    yield Entry(stem_of(about), f"{LINE} about {about}", below + name, row.offset)
        elif name.lower().endswith((text_ending, ".json")):
            yield Entry(stem_of(name), CAPTION, below + name)


def mask_entries(folder: Path) -> Iterator[Entry]:
    """Pictures in a folder of masks."""
    for below in filter(lambda name: (folder / name).is_dir(), MASK_FOLDERS):
        names = filter(is_picture_name, file_names(folder / below))
        yield from (Entry(stem_of(name), MASK, f"{below}/{name}") for name in names)


def captions_among(entries: list[Entry], about: str | None = None) -> list[tuple[str, int | None]]:
    """Where captions stand, in the order in which they count: a table's line, a text, JSON.

    Of lines only those about one file, if it is told.
    """
    lines = [
        each for each in entries if each.role.startswith(LINE) and (not about or each.role == f"{LINE} about {about}")
    ]
    files = sorted((each for each in entries if each.role == CAPTION), key=lambda each: each.file.endswith(".json"))
    return [(each.file, each.offset) for each in (*lines, *files)]


def mask_among(entries: list[Entry]) -> str | None:
    """The mask of an example, if it has one."""
    return next((each.file for each in entries if each.role == MASK), None)


def _entries(folder: Path, text_ending: str) -> Iterator[Entry]:
    for name in filter(is_picture_name, file_names(folder)):
        stem, purpose = purpose_of(name)
        yield Entry(stem, MASK, name) if purpose == MASK else Entry(stem_of(name), PICTURE, name)
    yield from caption_entries(folder, text_ending=text_ending)
    yield from mask_entries(folder)


def _files(listing: Listing, missing: Named, *, has_caption: bool) -> Iterator[Files]:
    """Examples; pictures without captions are counted in `missing`."""
    for _, entries in listing.groups():
        for picture in (each.file for each in entries if each.role == PICTURE):
            captions = captions_among(entries, picture)
            if not captions and not has_caption:
                missing.add(picture)
            yield Files(picture, captions, (), mask_among(entries))
