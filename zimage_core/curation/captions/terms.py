"""A text's terms: words, and of Chinese, which has no spaces, each character and each pair of neighbours."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from ...han import HAN

TERM = re.compile(f"{HAN.pattern}+|[^\\W_\u4e00-\u9fff]+")


def terms(text: str) -> list[str]:
    """In the order of the text, in lower case; letters of full width are plain ones."""
    return [term for found in TERM.findall(unicodedata.normalize("NFKC", text).lower()) for term in parts_of(found)]


def phrase(text: str) -> str:
    """Words and single Chinese letters between spaces: a text says another one whose phrase is in its own."""
    words = TERM.findall(unicodedata.normalize("NFKC", text).lower())
    return f" {' '.join(' '.join(word) if HAN.match(word) else word for word in words)} "


def parts_of(found: str) -> Iterator[str]:
    """A word as it is; of Chinese letters the single ones, then the pairs."""
    yield from found if HAN.match(found) else (found,)
    if HAN.match(found):
        yield from (one + other for one, other in pairwise(found))
