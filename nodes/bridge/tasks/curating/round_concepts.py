"""What a round on the canvas asks a model for: lines of a text, a file's concepts, else phrases in captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import folder_paths
from PIL import Image

from .....zimage_core.curation.rounds import Concept, concepts_in, read_concepts
from .....zimage_core.scoring.score import Request, Score
from .....zimage_core.text.protected import quoted_texts
from ...loading.files import file_state

NO_FILE = "none"
ENDINGS = (".jsonl", ".txt", ".parquet")
SIDE = 64  # pixels of the blank picture with which a score is tried


class Asked(Protocol):
    """The widgets that say it."""

    @property
    def concepts(self) -> str: ...
    @property
    def concepts_file(self) -> str: ...
    @property
    def most_concepts(self) -> int: ...


def concept_files() -> list[str]:
    """Names for a dropdown: files in the input folder itself that may list concepts."""
    root = Path(folder_paths.get_input_directory())
    return [NO_FILE, *sorted(each.name for each in root.iterdir() if each.suffix in ENDINGS)]


def state(name: str) -> str:
    """Changes with the file."""
    return "" if name == NO_FILE or not _file(name).is_file() else file_state(str(_file(name)))


def concepts_of(asked: Asked, captions: Sequence[Sequence[str]]) -> list[Concept]:
    """Those of the text, then those of the file, each once; where there are none, phrases that captions use.

    Raises ValueError with one sentence.
    """
    found = [_concept(line) for line in filter(None, map(str.strip, asked.concepts.splitlines()))]
    if asked.concepts_file != NO_FILE:
        found += read_concepts(_file(asked.concepts_file), asked.most_concepts)
    concepts = list({each.name: each for each in found or concepts_in(captions, asked.most_concepts)}.values())
    if not concepts:
        raise ValueError(
            "No phrase stands in two captions that could be a concept. Write what the model should draw, one a line."
        )
    return concepts[: asked.most_concepts]


def check_score(score: Score, concepts: Sequence[Concept]) -> None:
    """Raise ValueError where a score can answer none of them, by a blank picture, before anything is drawn."""
    blank = Image.new("RGB", (SIDE, SIDE))
    problem = ""
    for each in concepts:
        [found] = score([blank], [Request(prompt=each.prompts[0], lettering=each.lettering)])
        if found.value is not None:
            return
        problem = found.problem
    raise ValueError(f"Pictures cannot be scored by {score.name}: {problem}.")


def _concept(line: str) -> Concept:
    texts = tuple(quoted[1:-1] for quoted in quoted_texts(line))
    return Concept(name=line, prompts=(line,), words=(line,), lettering=texts)


def _file(name: str) -> Path:
    root = Path(folder_paths.get_input_directory()).resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise ValueError(f"The concepts {name!r} lie outside ComfyUI's input folder. Pick a file inside it.")
    return file
