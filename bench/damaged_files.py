"""`python -m bench.damaged_files --files 100000`: a folder with 1 % of every kind of damage, profiled and counted.

Each kind is told from every other by what the profile says of the file; originals are compared before and after, links,
times and permissions included. The folder is made below --below and removed again.
"""

import argparse
import hashlib
import io
import os
import random
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from zimage_core.cli import main as command
from zimage_core.curation.engine.output import row_groups

from .stage_clock import HEADER, clocked

SHARE = 100  # one file of so many is of a kind
IN_FOLDER = 1000  # files
SIDE = (48, 32)  # pixels
SCRIPTS = (
    "图画",
    "絵と写真",
    "그림",
    "صورة",
    "תמונה",
    "चित्र",
    "ภาพ",
    "картина",
    "εικόνα",
    "նկար",
    "სურათი",
    "ምስል",
    "ছবি",
    "படம்",
    "ünïcödé",
    "e\u0301 and é",
    "🦊🏽",
    "a\nline",
    "\u202eright to left",
    "quo'te\"s $(x) %s {y}",
    "wide \uff57\uff49\uff44\uff45",
    "  spaces  ",
)
SEEN_AS = {
    "truncated": "truncated",
    "zero bytes": "empty",
    "text": "no picture",
    "garbled": "damaged",
    "bomb": "too many pixels",
    "wrong ending": "wrong ending",
    "16 bit": "16 bit",
    "CMYK": "CMYK",
    "animated": "animated",
    "turned": "turned",
    "any script": "good",
    "name of no UTF-8": "unreadable",
    "link to itself": "unreadable",
    "link to nothing": "unreadable",
    "pipe": "unreadable",
    "locked": "unreadable",  # for root, who may read everything, it is good
    "not named as a picture": "not listed",
    "hidden": "not listed",
}
KINDS = tuple(SEEN_AS)


def plant_damage(folder: Path, count: int, seed: int = 0) -> dict[str, str]:
    """Write `count` files, of every 100 one of each kind; each one's path, as the profile writes it, and its kind.

    Every folder also has a link to the folder above, so the tree is an endless loop for who follows links blindly.
    """
    rng = random.Random(seed)
    good = [encoded(picture(number), "PNG" if number % 2 else "JPEG") for number in range(64)]
    damaged = {kind: [content_of(kind, number) for number in range(4)] for kind in KINDS}
    truth: dict[str, str] = {}
    for number in range(count):
        below = folder / f"{number // IN_FOLDER:04d}"
        if not number % IN_FOLDER:
            below.mkdir()
            (below / "back").symlink_to(folder)
        place = number % SHARE
        kind = KINDS[place] if place < len(KINDS) else "good"
        content = good[number % 64] if kind == "good" else rng.choice(damaged[kind])
        path = put(below, f"{number:06d}", kind, content, ".png" if number % 2 else ".jpg")
        truth[os.fsencode(path).decode("utf-8", "backslashreplace")] = kind
    return truth


def put(below: Path, number: str, kind: str, content: bytes, ending: str) -> Path:
    """One file of a kind, or what has its name."""
    file = below / name_of(number, kind, ending)
    if kind.startswith("link"):
        file.symlink_to(file.name if kind == "link to itself" else f"{number} gone.png")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    if kind == "locked":
        file.chmod(0)
    return file


def name_of(number: str, kind: str, ending: str) -> str:
    """Names say nothing of the kind, but where the name is what is wrong."""
    endings = {"truncated": ".jpg", "CMYK": ".jpg", "turned": ".jpg", "wrong ending": ".jpg", "animated": ".gif"}
    names = {
        "any script": f"{SCRIPTS[int(number) // SHARE % len(SCRIPTS)]} {number}.png",
        "name of no UTF-8": f"\udcff\udce9 {number}.png",
        "not named as a picture": f"{number}.txt",
        "hidden": f".{number}.png",
    }
    return names.get(kind, number + (ending if kind == "good" else endings.get(kind, ".png")))


def content_of(kind: str, number: int) -> bytes:
    """The bytes of a file of a kind."""
    one = picture(1000 + number)
    changes = {
        "truncated": lambda: encoded(one, "JPEG")[:-200],
        "zero bytes": lambda: b"",
        "text": lambda: b"<html>404: not found</html>\n" * (number + 1),
        "garbled": lambda: garbled(encoded(one, "PNG")),
        "bomb": lambda: bomb(50_000, 50_000),
        "16 bit": lambda: encoded(Image.fromarray(np.asarray(one.convert("L")).astype(np.uint16) * 257), "PNG"),
        "CMYK": lambda: encoded(one.convert("CMYK"), "JPEG"),
        "animated": lambda: encoded(one, "GIF", save_all=True, append_images=[picture(2000 + number)]),
        "turned": lambda: encoded(one, "JPEG", exif=turned(6)),
    }
    return changes.get(kind, lambda: encoded(one, "PNG"))()


def picture(number: int) -> Image.Image:
    """A smooth picture of its own."""
    coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize(SIDE, Image.Resampling.BICUBIC)


def encoded(one: Image.Image, form: str, **options: Any) -> bytes:
    """As a file."""
    stored = io.BytesIO()
    one.save(stored, form, **options)
    return stored.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF data of a camera that was held sideways."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def garbled(content: bytes) -> bytes:
    """A PNG with other bytes in the middle of its pixels."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - each for each in content[middle : middle + 16]) + content[middle + 16 :]


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than there is memory."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = (struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def seen(row: Mapping[str, Any]) -> str:
    """The kind of a file as far as its row of the profile tells."""
    if row["problem"]:
        return str(row["problem"]).partition(":")[0]
    told = {
        "wrong ending": not row["right_ending"],
        "16 bit": row["bits"] == 16,
        "CMYK": row["mode"] == "CMYK",
        "animated": row["frames"] > 1,
        "turned": row["orientation"] > 1 and (row["width"], row["height"]) == SIDE[::-1],
    }
    return next((kind for kind, is_so in told.items() if is_so), "good")


def counted_kinds(profile: Path, truth: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """How many files of each kind are seen as what; a row without a file counts as made up."""
    left, counts = dict(truth), Counter[tuple[str, str]]()
    for table in row_groups(
        profile, ["path", "problem", "right_ending", "bits", "mode", "frames", "orientation", "width", "height"]
    ):
        for row in table.to_pylist():
            counts[left.pop(row["path"], "made up"), seen(row)] += 1
    counts.update((kind, "not listed") for kind in left.values())
    return counts


def expected(truth: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """The same, as it should be."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    seen_as = SEEN_AS | {"good": "good"} | ({"locked": "good"} if is_root else {})
    return Counter((kind, seen_as[kind]) for kind in truth.values())


def tree_digest(folder: Path) -> str:
    """Of every name below a folder, with its permissions, size, time of change, target and bytes."""
    digest = hashlib.sha256()
    for base, folders, files in os.walk(os.fsencode(folder)):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.join(base, name)  # noqa: PTH118 - bytes, as not every name is text
            state = os.lstat(path)
            digest.update(repr((path, state.st_mode, state.st_size, state.st_mtime_ns)).encode())
            if os.path.islink(path):  # noqa: PTH114
                digest.update(os.readlink(path))  # noqa: PTH115
            elif name in files and os.path.isfile(path) and os.access(path, os.R_OK):  # noqa: PTH113
                with open(path, "rb") as opened:  # noqa: PTH123
                    digest.update(opened.read())
    return digest.hexdigest()


def run(below: Path, count: int) -> Iterator[str]:
    """Plant, profile, embed, count, compare."""
    with tempfile.TemporaryDirectory(dir=below) as root:
        folder, profile = Path(root) / "pictures", Path(root) / "profile.parquet"
        folder.mkdir()
        truth = plant_damage(folder, count)
        before = tree_digest(folder)
        yield HEADER
        for stage, source, out in (("profile", folder, profile), ("embed", profile, Path(root) / "vectors.parquet")):
            with clocked(stage, count) as taken:
                if command(["data", stage, str(source), "--out", str(out)]):
                    raise SystemExit(1)
            yield taken.row
        found, wanted = counted_kinds(profile, truth), expected(truth)
        yield "\n| kind | files | seen as |\n| --- | --- | --- |"
        yield from (f"| {kind} | {number} | {as_what} |" for (kind, as_what), number in sorted(found.items()))
        yield f"as planted: {found == wanted}; originals unchanged: {tree_digest(folder) == before}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.damaged_files", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--below", type=Path, default=Path(tempfile.gettempdir()), help="an existing folder")
    arguments = parser.parse_args()
    for line in run(arguments.below, arguments.files):
        tqdm.write(line)


if __name__ == "__main__":
    main()
