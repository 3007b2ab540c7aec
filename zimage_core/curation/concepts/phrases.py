"""Noun phrases in captions by a plain rule, in English and Chinese; a tagger knows more, and needs a model.

Both languages put the noun last, so that what ends a phrase is what it is a kind of. English: runs of up to
`MOST_WORDS` words between function words, punctuation and words in -ing, and their ends; "the big red fox runs" also
gives "fox runs", which is what the rule costs. (Cutting at function words is how RAKE finds key words: Rose et al.
2010.) Chinese: whole runs of 2 to `MOST_LETTERS` letters between function characters and punctuation, less "one" with
its measure word in front and "on", "in" behind.
"""

import re
from collections.abc import Iterator

from ...han import HAN
from .function_words import CHINESE_CUTS, CHINESE_MEASURES, CHINESE_NUMERALS, CHINESE_PLACES, ENGLISH
from .matching import TOKEN, normal

MOST_WORDS, MOST_LETTERS, LEAST_LETTERS = 3, 6, 2
PIECE = re.compile(r"[^.,;:!?()\[\]{}\"\n|/]+")
HAN_RUN = re.compile(f"(?:(?![{CHINESE_CUTS}]){HAN.pattern})+")
COUNTED = re.compile(f"^[{CHINESE_NUMERALS}]+[{CHINESE_MEASURES}]?")


def phrases(caption: str) -> list[str]:
    """Each once, in the order of the caption."""
    text = normal(caption)
    return list(dict.fromkeys((*english_phrases(text), *chinese_phrases(text))))


def english_phrases(text: str) -> Iterator[str]:
    """Ends of runs, of one word up to all."""
    for piece in PIECE.findall(text):
        run = list[str]()
        for word in (*TOKEN.findall(piece), "the"):
            if word not in ENGLISH and not is_verbal(word) and not word.isdigit():
                run.append(word)
            else:
                yield from (" ".join(run[first:]) for first in range(max(0, len(run) - MOST_WORDS), len(run)))
                run = []


def is_verbal(word: str) -> bool:
    """Whether a word ends as what is being done, which is seldom a noun in captions; "ring" and "king" do not count."""
    return word.endswith("ing") and len(word) > len("string")


def chinese_phrases(text: str) -> Iterator[str]:
    """Whole runs: without spaces nobody knows at which of its letters a word begins."""
    for run in HAN_RUN.findall(text):
        found = COUNTED.sub("", run)
        found = found.removesuffix(next((each for each in CHINESE_PLACES if found.endswith(each)), ""))
        if LEAST_LETTERS <= len(found) <= MOST_LETTERS:
            yield found
