"""Pictures of concepts, each drawn and scored once: a line of a journal as soon as it is, so a killed round goes on."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from ...atomic_file import write_atomically, write_text
from ...json_lines import append_lines, cut_to_whole_lines, read_lines
from ...scoring.score import Request, Score
from ..engine import Progress
from .concepts import Concept

PICTURES, SCORES, IDENTITY = "pictures", "scores.jsonl", "round.json"

Draw = Callable[[str, int], Image.Image]  # a prompt and a seed


@dataclass(frozen=True, kw_only=True)
class RoundIdentity:
    """What makes a round another one."""

    source: str  # who draws
    score: str  # with its reader
    higher_is_better: bool
    pictures: int  # of each concept
    seed: int


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A picture of a concept; of its prompts each is drawn in turn."""

    concept: str
    prompt: str
    seed: int
    file: str  # below the round's folder
    value: float | None  # None where the score has none
    problem: str = ""


def draw_round(
    folder: Path, identity: RoundIdentity, concepts: Sequence[Concept], draw: Draw, score: Score
) -> Iterator[Progress]:
    """Draw and score what is missing. Raises ValueError where the folder holds a round of another kind."""
    enter(folder, identity)
    done = {(each.prompt, each.seed, each.concept) for each in read_drawn(folder)}
    wanted = [
        (concept, concept.prompts[number % len(concept.prompts)], identity.seed + number)
        for number in range(identity.pictures)
        for concept in concepts
    ]
    left = [each for each in wanted if (each[1], each[2], each[0].name) not in done]
    for place, (concept, prompt, seed) in enumerate(left):
        yield Progress(stage="draw", done=len(wanted) - len(left) + place, total=len(wanted))
        picture = draw(prompt, seed)
        [measured] = score([picture], [Request(prompt=prompt, lettering=concept.lettering)])
        file = f"{PICTURES}/{len(done) + place:06d}.png"
        write_atomically(folder / file, lambda opened, picture=picture: picture.save(opened, format="PNG"))
        drawn = Drawn(
            concept=concept.name,
            prompt=prompt,
            seed=seed,
            file=file,
            value=measured.value,
            problem=measured.problem,
        )
        append_lines(folder / SCORES, [asdict(drawn)])
    if left:
        yield Progress(stage="draw", done=len(wanted), total=len(wanted))


def enter(folder: Path, identity: RoundIdentity) -> None:
    """Make the folder, or see that it is of the same round."""
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    told, file = json.dumps(asdict(identity), ensure_ascii=False, indent=1), folder / IDENTITY
    if file.is_file() and file.read_text("utf-8") != told:
        raise ValueError(f"{folder} holds another round (its {IDENTITY} tells which): give --out a new folder")
    write_text(file, told)
    if (folder / SCORES).is_file():
        cut_to_whole_lines(folder / SCORES)


def read_drawn(folder: Path) -> list[Drawn]:
    """What was drawn so far."""
    file = folder / SCORES
    return [Drawn(**line) for _, line in read_lines(file)] if file.is_file() else []
