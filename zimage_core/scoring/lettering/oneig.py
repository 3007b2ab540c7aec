"""OneIG-Bench's text score (arXiv 2506.07977): edit distance, exact texts and shared words in one number.

Case matters. A text with a Chinese character is compared in characters without spaces, any other in words.
"""

import re
from collections import Counter
from collections.abc import Sequence

from ..score import Measurement, Request
from .edit_distance import edit_distance
from .overlap import READER_PHRASES, published_form, without_phrases
from .rule import NOTHING_ASKED, LetteringRule

CHINESE = re.compile("[\u4e00-\u9fff]")
MOST_EDITS = {"en": 100.0, "zh": 50.0}  # from which on a text counts as wholly wrong


def oneig_form(text: str) -> str:
    """A text with the published characters, single spaces, and none where it is Chinese."""
    kept = published_form(text)
    return ("" if CHINESE.search(kept) else " ").join(kept.split())


def oneig_text(request: Request, lines: Sequence[str]) -> Measurement:
    """One picture's score, with the parts from which a suite's is pooled."""
    wanted = oneig_form(" ".join(request.lettering))
    if not wanted:
        return Measurement.missing(NOTHING_ASKED)
    read = oneig_form(without_phrases(" ".join(lines), READER_PHRASES))
    edits = float(edit_distance(wanted, read))
    is_chinese = bool(CHINESE.search(wanted))
    targets, known = (
        (Counter(wanted), Counter(read)) if is_chinese else (Counter(wanted.split()), Counter(read.split()))
    )
    most = MOST_EDITS["zh" if request.language == "zh" else "en"]
    parts = {
        "edits": edits,
        "exact": float(edits == 0),
        "matched": (targets & known).total(),
        "targets": targets.total(),
        "most edits": most,
    }
    return Measurement(value=combined(edits, parts["exact"], parts["matched"] / parts["targets"], most), parts=parts)


def combined(edits: float, exact: float, shared: float, most: float) -> float:
    """1 for a perfect text, 0 for one that shares nothing and needs `most` edits."""
    return 1 - min(most, edits) * (1 - exact) * (1 - shared) / most


def pooled_oneig(measurements: Sequence[Measurement]) -> float | None:
    """A suite's score: mean edit distance, share of exact texts, words pooled; then the formula once."""
    read = [each.parts for each in measurements if each.value is not None]
    if not read:
        return None

    def total(part: str) -> float:
        return float(sum(parts[part] for parts in read))

    shared = total("matched") / total("targets")
    return combined(total("edits") / len(read), total("exact") / len(read), shared, total("most edits") / len(read))


ONEIG = LetteringRule(name="OneIG text", measure=oneig_text, pool=pooled_oneig)
