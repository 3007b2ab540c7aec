"""What `zimage alike` does with its parsed options."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..counted import counted
from ..data import is_picture
from ..evaluation.case import Place
from ..evaluation.pictures import open_picture
from ..scoring.features import (
    CachedEncoder,
    PictureEncoder,
    diversity,
    diversity_interval,
    duplicates,
    frechet_distance,
    halves_interval,
    kernel_distance,
)
from .suite_scores import TypedReaders

AT_ONCE = 16  # pictures that are open together
MOST_TOLD = 20  # copies and problems in the plain form


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A folder's pictures that could be read, and what the encoder sees in them."""

    names: tuple[str, ...]
    features: Tensor  # (n, c)


def tell_sets(options: argparse.Namespace) -> None:
    """Print the numbers; raises ValueError for fewer than two pictures."""
    encoder: PictureEncoder = TypedReaders(options).encoder()
    looks = CachedEncoder(encoder, options.cache) if options.cache else encoder
    one = see(options.folder, looks)
    low, high = diversity_interval(one.features)
    copies = [(one.names[a], one.names[b], cosine) for a, b, cosine in duplicates(one.features, options.least)]
    found: dict[str, Any] = {"reader": encoder.name, "pictures": len(one.names)}
    found |= {"diversity": diversity(one.features), "low": low, "high": high, "copies": copies}
    if options.other:
        found["other"] = distances(one, see(options.other, looks))
    print(json.dumps(found) if options.json else "\n".join(lines_of(found, options)))


def see(folder: Path, encoder: PictureEncoder) -> Seen:
    """Every picture below a folder, a few open at a time; what cannot be read is told on stderr."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give one with pictures")
    files = sorted(each for each in folder.rglob("*") if is_picture(each) and not is_in_hidden(each, folder))
    names: list[str] = []
    features: list[Tensor] = []
    for first in tqdm(range(0, len(files), AT_ONCE), unit="batch", file=sys.stderr, leave=False):
        opened = read(folder, files[first : first + AT_ONCE])
        if opened:
            names += [name for name, _ in opened]
            features.append(encoder.pictures([picture for _, picture in opened]))
    if len(names) < 2:
        raise ValueError(f"{folder} has {counted(len(names), 'picture')} that can be read: it takes two to compare")
    return Seen(names=tuple(names), features=torch.cat(features))


def is_in_hidden(file: Path, folder: Path) -> bool:
    """Whether a folder between a file and the one that was named is hidden, such as .thumbnails."""
    return any(part.startswith(".") for part in file.relative_to(folder).parent.parts)


def read(folder: Path, files: Sequence[Path]) -> list[tuple[str, Image.Image]]:
    """Names and pictures of those files that hold one."""
    found: list[tuple[str, Image.Image]] = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        picture = open_picture(folder, Place(file=name))
        if picture.image is None:
            print(f"zimage: {picture.problem}", file=sys.stderr)
        else:
            found.append((name, picture.image))
    return found


def distances(one: Seen, other: Seen) -> dict[str, Any]:
    """Kernel distance with its interval; Fréchet's only where both sets have more pictures than features."""
    low, high = halves_interval(kernel_distance, one.features, other.features)
    told = {"pictures": len(other.names), "kernel distance": kernel_distance(one.features, other.features)}
    is_enough = min(len(one.names), len(other.names)) > one.features.shape[1]
    frechet = frechet_distance(one.features, other.features) if is_enough else None
    return {**told, "low": low, "high": high, "frechet distance": frechet}


def lines_of(found: dict[str, Any], options: argparse.Namespace) -> list[str]:
    """The numbers for a person."""
    lines = [
        f"{options.folder}: {counted(found['pictures'], 'picture')}, diversity {found['diversity']:.4f} "
        f"({found['low']:.4f} to {found['high']:.4f}) by {found['reader']}",
        f"{counted(len(found['copies']), 'pair')} of copies, cosine {options.least:g} or more",
    ]
    lines += [f"  {cosine:.4f} {a} {b}" for a, b, cosine in found["copies"][:MOST_TOLD]]
    if other := found.get("other"):
        lines.append(
            f"{options.other}: {counted(other['pictures'], 'picture')}, kernel distance {other['kernel distance']:.3g} "
            f"({other['low']:.3g} to {other['high']:.3g})"
        )
        frechet = other["frechet distance"]
        needs = "needs more pictures than features" if frechet is None else f"{frechet:.4g}"
        lines.append(f"  Fréchet distance: {needs}")
    return lines
