"""Which tokens stand for some words of a prompt: by the bytes of byte-level tokens, exactly.

Byte-level BPE (GPT-2's, which Qwen's and nano's are) writes every byte of a text as one letter, so a text's tokens,
put together, are its bytes; a letter of several bytes may lie in several tokens.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

QUOTED = re.compile(
    r'"[^"\n]+"|“[^”\n]+”|\u300c[^\u300d\n]+\u300d|\u300e[^\u300f\n]+\u300f|«[^»\n]+»'
    r"|\u201e[^\u201c\u201d\n]+[\u201c\u201d]|\uff02[^\uff02\n]+\uff02"
)


def quoted_texts(prompt: str) -> list[str]:
    """What stands in quotation marks, marks included: words to be written in the picture."""
    return QUOTED.findall(prompt)


def text_of(tokens: Sequence[str | None]) -> str:
    """The text that tokens stand for, template included."""
    return b"".join(_pieces(tokens)).decode("utf-8", "replace")


def tokens_of(words: Iterable[str], tokens: Sequence[str | None]) -> dict[str, set[int]]:
    """For each text the numbers of all tokens that hold any of it, wherever it stands; none where it does not.

    `tokens` are the tokenizer's own strings; None is one that stands for no text, such as a textual inversion. Letters
    match in any case; a word of Latin letters matches whole words only.
    """
    pieces, text = _pieces(tokens), text_of(tokens)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    return {word: {number for span in _places(word, text) for number in _within(span, ends)} for word in words}


def _pieces(tokens: Sequence[str | None]) -> list[bytes]:
    return [b"" if token is None else _bytes_of(token) for token in tokens]


def _places(word: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a word stands, in bytes of the text."""
    wanted = re.escape(unicodedata.normalize("NFC", word.strip()))
    if not wanted:
        return
    before = r"(?<![^\W_])" if re.match(r"[A-Za-z0-9]", word.strip()) else ""
    after = r"(?![^\W_])" if re.search(r"[A-Za-z0-9]$", word.strip()) else ""
    for found in re.finditer(before + wanted + after, text, re.IGNORECASE):
        start = len(text[: found.start()].encode())
        yield start, start + len(found[0].encode())


def _within(span: tuple[int, int], ends: Sequence[int]) -> Iterator[int]:
    """Numbers of the tokens that overlap a span of bytes."""
    for number, (low, high) in enumerate(zip(ends, ends[1:], strict=False)):
        if low < span[1] and span[0] < high:
            yield number


def _bytes_of(token: str) -> bytes:
    """A byte-level token's bytes; a token in plain letters, as special ones are, is its own text."""
    letters = _letters()
    return bytes(letters[each] for each in token) if all(each in letters for each in token) else token.encode()


@cache
def _letters() -> dict[str, int]:
    """GPT-2's letter of every byte: printable ones are themselves, the others follow from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}
