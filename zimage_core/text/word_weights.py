r"""Words of a prompt made stronger, weaker or negative: `a (red:1.3) fox, (blur:-0.8)`.

A word's weight scales all that the word changes in the prompt's embeddings. The encoder is causal, so a word speaks
through every token after it; its own tokens say least. What it says is found by leaving it out: the embeddings of the
prompt with and without it, token by token, differ by the word's contribution, and that difference is multiplied.

    e = e(prompt) + sum over weighted words of (weight - 1) · (e(prompt) - e(prompt without the word))

At weight 1 these are the prompt's embeddings, at 0 those of the prompt without the word, and below 0 the prompt says
the contrary. docs/log.md has what it does to pictures, beside scaling the word's tokens or their values in attention.

Letters: n m tokens, f width of the embeddings.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from .shortened import shortened

MOST = 4.0  # greatest weight, as an absolute value
OPENING, CLOSING = "(\uff08", ")\uff09"  # ASCII and full width
QUOTES = {'"': '"', "\u201c": "\u201d", "\u300c": "\u300d"}  # straight, curved, corner brackets
NUMBER = r"[-+\uff0d\uff0b]?(?:\d+[.\uff0e]?\d*|[.\uff0e]\d+)"  # digits of any width, as \d is
WEIGHT = re.compile(rf"[:\uff1a]\s*({NUMBER})\s*$")
PUNCTUATION = ",.;:!?\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001"


class Span(NamedTuple):
    """Some words of a text and their weight, which is not 1."""

    start: int
    end: int  # behind the last letter
    weight: float


class WeightedText(NamedTuple):
    """A prompt without its weights, and what they were, in the text's order."""

    text: str
    spans: tuple[Span, ...]


def parse(prompt: str) -> WeightedText:
    r"""The plain prompt and its weighted words.

    Brackets are a weight where they hold words, a colon and a number, and multiply where they are nested; all others
    are text, as are `\(` and `\)`, whose backslash goes, times and ratios (12:30, 16:9), and whatever stands in
    quotation marks. Colons, numbers and brackets may be full width. ValueError for a weight beyond 4.
    """
    letters: list[str] = []
    weights: list[float] = []
    opened: list[int] = []
    index = 0
    while index < len(prompt):
        letter = prompt[index]
        end = prompt.find(QUOTES[letter], index + 1) if letter in QUOTES else -1
        is_escape = letter == "\\" and prompt[index + 1 : index + 2] in (*OPENING, *CLOSING)
        literal = prompt[index : end + 1] if end > 0 else prompt[index + is_escape]
        index += len(literal) + is_escape
        if letter in OPENING:
            opened.append(len(letters))
        if letter in CLOSING and opened and _close(letters, weights, opened.pop()):
            continue
        letters += literal
        weights += [1.0] * len(literal)
    text, spans = "".join(letters), tuple(_spans(weights))
    for span in spans:
        if not abs(span.weight) <= MOST:
            raise ValueError(
                f"The weight of '{shortened(text[span.start : span.end])}' is {span.weight:g}, and weights go from "
                f"{-MOST:g} to {MOST:g}. Write a smaller number; brackets inside brackets multiply."
            )
    return WeightedText(text, spans)


def _close(letters: list[str], weights: list[float], start: int) -> bool:
    """Take a pair of brackets with a weight off the text, and multiply it in; False where they are text."""
    inside = "".join(letters[start + 1 :])
    found = WEIGHT.search(inside)
    words = inside[: found.start()].strip() if found else ""
    if found is None or not words:
        return False
    number = unicodedata.normalize("NFKC", found[1])  # of full width, as Chinese keyboards write it
    weight = float(number)
    is_ratio = number.isdecimal() and words[-1].isdecimal() and (words.isdecimal() or weight > MOST)
    if is_ratio:
        return False
    end = start + 1 + found.start()
    del letters[end:], weights[end:], letters[start], weights[start]
    weights[start:] = [each * weight for each in weights[start:]]
    return True


def _spans(weights: Sequence[float]) -> list[Span]:
    spans: list[Span] = []
    start = 0
    for weight, group in groupby(weights):
        end = start + len(list(group))
        if weight != 1:
            spans.append(Span(start, end, weight))
        start = end
    return spans


def without(text: str, span: Span) -> str:
    """The text without some of its words, and without the space that they would leave behind."""
    before, after = text[: span.start], text[span.end :]
    if after.startswith(" ") and (not before or before.endswith(" ")):
        after = after[1:]
    elif before.endswith(" ") and (not after or after[0] in PUNCTUATION):
        before = before[:-1]
    return before + after


class Place(NamedTuple):
    """Where a word's tokens are in a prompt, and where the prompt without it goes on."""

    start: int
    end: int  # behind the last token
    resumes: int  # in the prompt without the word: the token that is at `end` in the prompt


def place_of(tokens: Sequence[object], shorter: Sequence[object]) -> Place:
    """What is left of a prompt's tokens where they begin and end as those of the prompt without a word."""
    start = _shared(zip(tokens, shorter, strict=False))
    last = _shared(zip(reversed(tokens), reversed(shorter), strict=False))
    last = min(last, len(shorter) - start, len(tokens) - start)
    return Place(start, len(tokens) - last, len(shorter) - last)


def _shared(pairs: Iterable[tuple[object, object]]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def reweighted(
    full: Float[Tensor, "n f"], parts: Sequence[tuple[Float[Tensor, "_ f"], Place, float]]
) -> Float[Tensor, "n f"]:
    """A prompt's embeddings with weighted words: for each the embeddings without it, its place, and its weight.

    Where the word's own tokens stand the prompt without it has none; the token before them stands in. Embeddings that
    are cut at some length lack their end, which changes no other: the encoder is causal.
    """
    out = full.clone()
    for shorter, (start, end, resumes), weight in parts:
        before = shorter[max(start - 1, 0)].expand(end - start, -1)
        base = torch.cat((shorter[:start], before, shorter[resumes:]))[: len(full)]
        out[: len(base)] += (weight - 1) * (full[: len(base)] - base)
    return out
