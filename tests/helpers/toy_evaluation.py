"""A small evaluation: pictures of one colour, and a score that reads it; run as a program it is killed on the way."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from suite_files import coloured, write_cvtg
from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.journal import read_journal
from zimage_core.evaluation.pictures import unclaimed
from zimage_core.evaluation.report import Report, make_report
from zimage_core.evaluation.report_files import to_csv, to_json
from zimage_core.evaluation.run import Shard, describe, enter
from zimage_core.evaluation.runner import Draw, evaluate
from zimage_core.evaluation.suites import SUITES
from zimage_core.scoring.score import Measurement, Request

SUITE = SUITES["cvtg-2k"]


class Colour:
    """How red a picture is; red above 250 cannot be read."""

    name, reader, higher_is_better = "redness", "toy 1", True

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        self.asked += len(pictures)
        reds = [picture.getpixel((0, 0))[0] for picture in pictures]
        return [
            Measurement(value=red / 255, parts={"red": float(red)}) if red <= 250 else Measurement.missing("too red")
            for red in reds
        ]


def draw(prompt: str, seed: int) -> Image.Image:
    return coloured(seed)


def run(folder: Path, *, n: int, draw: Draw | None = draw, shard: Shard | None = None, score=None, stop=None):
    """Evaluate n prompts of each file, to the end or until so many prompts are done."""
    cases = SUITE.read(write_cvtg(folder / "prompts", n), Reading())
    scores = [score or Colour()]
    out, pictures = folder / "out", folder / "pictures"
    enter(out, described(cases, scores))
    for progress in evaluate(cases, scores, pictures=pictures, out=out, draw=draw, shard=shard, at_once=3):
        if progress.done == stop:
            break
    return report(folder, cases, scores)


def described(cases, scores):
    return describe(
        suite=SUITE.name, title=SUITE.title, source="toy", name="toy", as_authors=True, cases=cases, scores=scores
    )


def report(folder: Path, cases, scores) -> Report:
    found = read_journal(folder / "out")
    return make_report(described(cases, scores), SUITE, cases, found, unclaimed(folder / "pictures", cases))


def texts(made: Report) -> tuple[str, str]:
    return to_json(made), to_csv(made)


def main() -> None:
    """Evaluate in a folder and be killed by the n-th picture."""
    folder, n = Path(sys.argv[1]), int(sys.argv[2])
    drawn: list[int] = []

    def deadly(prompt: str, seed: int) -> Image.Image:
        drawn.append(seed)
        if len(drawn) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return coloured(seed)

    run(folder, n=5, draw=deadly)


if __name__ == "__main__":
    main()
