"""CVTG-2K: two to five texts in one picture (TextCrafter, arXiv 2503.23461).

`CVTG/` and `CVTG-Style/` hold `2.json` to `5.json`, named after the number of texts, each {"data_list": [{index,
prompt, carrier_list, sentence_list}]}; there is one picture a prompt, `<folder>/<n>/<index>.png`. 2,000 prompts in all.
"""

import re
from pathlib import Path

from ...scoring.lettering import NED, PUBLISHED_NED, PUBLISHED_WORD_ACCURACY, WORD_ACCURACY
from ...scoring.score import Request
from ..case import Case, Lettering, Place, Reading, Suite, both_releases
from ..prompt_files import Record, find, read_records
from ..totals import Pooled

FOLDERS = {"CVTG": ("CVTG",), "CVTG-Style": ("CVTG-Style", "CVTG-style")}  # the README spells the second otherwise
REGIONS = (2, 3, 4, 5)
QUOTED = re.compile(r"(?<!\w)'(.+)'(?!\w)")  # one text; an apostrophe inside it has letters around it
READER = "PaddleOCR 2.10"
WORDS = Pooled(found="found", asked="words")
CLOSENESS = Pooled(found="similarity", asked="words")


def read(folder: Path, reading: Reading) -> list[Case]:
    """All prompts, plain ones first."""
    cases: list[Case] = []
    for name, spellings in FOLDERS.items():
        for n in REGIONS:
            for record in read_records(find(folder, *(f"{each}/{n}.json" for each in spellings)), "data_list"):
                cases.append(_case(record, name, n, reading.seeds(len(cases), 1)))
    return cases


def _case(record: Record, name: str, n: int, seeds: tuple[int, ...]) -> Case:
    place = f"{n}/{record.plain_name('index')}"
    prompt = record.text("prompt")
    return Case(
        id=f"{name}/{place}",
        prompt=prompt,
        request=Request(prompt=prompt, lettering=tuple(map(quoted, record.texts("sentence_list")))),
        seeds=seeds,
        places=(Place(file=f"{name}/{place}.png", others=tuple(f"{each}/{place}.png" for each in FOLDERS[name])),),
        group=f"{n} regions",
    )


def quoted(sentence: str) -> str:
    """The text a sentence such as "a sign that says 'READ'." asks for; the whole sentence if it quotes nothing."""
    found = QUOTED.search(sentence)
    return found[1] if found else sentence


CVTG_2K = Suite(
    name="cvtg-2k",
    title="CVTG-2K (arXiv 2503.23461)",
    reads="lettering",
    read=read,
    lettering=Lettering(as_authors=(PUBLISHED_WORD_ACCURACY, PUBLISHED_NED), corrected=(WORD_ACCURACY, NED)),
    pooled={
        WORD_ACCURACY.name: WORDS,
        PUBLISHED_WORD_ACCURACY.name: WORDS,
        NED.name: CLOSENESS,
        PUBLISHED_NED.name: CLOSENESS,
    },
    published=(
        *both_releases(PUBLISHED_WORD_ACCURACY.name, READER, base=0.8671, turbo=0.8585),
        *both_releases(PUBLISHED_WORD_ACCURACY.name, READER, base=0.9006, turbo=0.8872, group="2 regions"),
        *both_releases(PUBLISHED_WORD_ACCURACY.name, READER, base=0.8722, turbo=0.8662, group="3 regions"),
        *both_releases(PUBLISHED_WORD_ACCURACY.name, READER, base=0.8652, turbo=0.8628, group="4 regions"),
        *both_releases(PUBLISHED_WORD_ACCURACY.name, READER, base=0.8512, turbo=0.8347, group="5 regions"),
        *both_releases(PUBLISHED_NED.name, READER, base=0.9367, turbo=0.9281),
    ),
)
