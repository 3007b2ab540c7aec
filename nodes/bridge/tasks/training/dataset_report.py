"""What a dataset node says of its pictures: sizes, words, tokens, and what is probably a mistake."""

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from comfy import model_management
from PIL import Image

from .....zimage_core.config import MAX_CAPTION_TOKENS
from .....zimage_core.data import Example, Named, bucket_size
from .....zimage_core.text import chunk_templates
from .....zimage_core.training.encoded import open_rgb
from ..prompts import count_tokens
from .dataset import Dataset

MOST_LISTED = 8  # sizes
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # of Exif 2.3: a camera held upright

Size = tuple[int, int]  # width and height in pixels


@dataclass
class Found:
    """What was seen of the examples so far."""

    sizes: Counter[Size] = field(default_factory=Counter[Size])
    words: list[int] = field(default_factory=list[int])  # of each caption
    tokens: list[int] = field(default_factory=list[int])
    references: list[int] = field(default_factory=list[int])  # of each pair
    first_of: dict[bytes, str] = field(default_factory=dict[bytes, str])  # names by the content of all files
    masks: int = 0
    an_epoch: int = 0
    too_long: Named = field(default_factory=Named)
    repeated: Named = field(default_factory=Named)
    other_sizes: Named = field(default_factory=Named)
    unchanged: Named = field(default_factory=Named)


def report(dataset: Dataset) -> str:
    """Lines about the pictures or pairs; what is probably a mistake is named by its first files."""
    found = Found()
    for example in dataset.examples:
        model_management.throw_exception_if_processing_interrupted()
        _look(found, example, dataset.side, is_built_in=dataset.is_built_in)
    return "\n".join(_lines(dataset, found))


def _look(found: Found, example: Example, side: int, *, is_built_in: bool) -> None:
    name, size = example.picture.name, trained_size(example.picture, side)
    found.sizes[size] += 1
    found.an_epoch += example.repeats
    found.masks += example.mask is not None
    template = chunk_templates(len(example.references))[-2 if example.references else -1]
    found.words += [len(caption.split()) for caption in example.captions]
    tokens = [count_tokens(caption, template, is_built_in=is_built_in) for caption in example.captions]
    found.tokens += tokens
    if max(tokens) > MAX_CAPTION_TOKENS:
        found.too_long.add(name)
    first = found.first_of.setdefault(_content(example), name)
    if first is not name:
        found.repeated.add(f"{first} = {name}")
    if example.references:
        found.references.append(len(example.references))
        _look_at_pair(found, example, size, side)


def _look_at_pair(found: Found, example: Example, size: Size, side: int) -> None:
    sources = [each for each in example.references if trained_size(each, side) == size]
    if not sources:
        found.other_sizes.add(example.picture.name)
    target = open_rgb(example.picture)
    if any(_is_same(target, open_rgb(each)) for each in sources):
        found.unchanged.add(example.picture.name)


def _lines(dataset: Dataset, found: Found) -> Iterator[str]:
    n, n_captions, few, many = len(dataset.examples), len(found.words), min(found.words), max(found.words)
    if found.references:
        yield f"{n} pairs, {n_captions} instructions of {few} to {many} words"
    else:
        yield f"{n} pictures, {n_captions} captions of {few} to {many} words"
    low, middle, high = min(found.tokens), round(statistics.median(found.tokens)), max(found.tokens)
    yield f"Tokens: {low} to {high}, {middle} in the middle; the text encoder reads {MAX_CAPTION_TOKENS}"
    if found.too_long.count:
        yield f"Longer than that, so that the end is not read: {found.too_long}"
    sizes = [f"{width}x{height}: {count}" for (width, height), count in found.sizes.most_common(MOST_LISTED)]
    more = ["…"] if len(found.sizes) > MOST_LISTED else []
    yield f"Trained at {dataset.side}x{dataset.side} pixels in area: {', '.join(sizes + more)}"
    if found.references and max(found.references) > 1:
        yield f"Pictures before: {min(found.references)} to {max(found.references)} for each"
    if found.masks:
        yield f"With a mask: {found.masks}"
    if found.an_epoch != n:
        yield f"In each epoch, with repeats: {found.an_epoch}"
    if dataset.regularization:
        yield f"What must not change: {len(dataset.regularization)}"
    if found.repeated.count:
        yield f"Twice or more: {found.repeated}"
    if found.other_sizes.count:
        yield f"No picture before has the size of the one after: {found.other_sizes}"
    if found.unchanged.count:
        yield f"Before and after are the same picture: {found.unchanged}"


def trained_size(picture: Path, side: int) -> Size:
    """Width and height a picture file is trained at, read from its header alone."""
    try:
        with Image.open(picture) as opened:
            (width, height), is_turned = opened.size, opened.getexif().get(ORIENTATION) in TURNED
            return bucket_size((height, width) if is_turned else (width, height), side * side)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{picture.name} cannot be trained on ({error}). Replace it or take it away.") from error


def _content(example: Example) -> bytes:
    """A hash of an example's pictures."""
    files = (example.picture, *example.references)
    parts = map(partial(hashlib.blake2b, digest_size=20), (file.read_bytes() for file in files))
    return b"".join(part.digest() for part in parts)


def _is_same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()
