"""The round before: of the same settings and score, under the same name, with another model or other LoRAs."""

import json
from dataclasses import replace
from pathlib import Path

import folder_paths

from .....zimage_core.curation.rounds import Drawn, RoundIdentity, read_drawn
from .....zimage_core.curation.rounds.drawn import IDENTITY, PICTURES

FIRST = f"{PICTURES}/000000.png"  # when it was drawn says when a round began


def drawn_before(out: Path, identity: RoundIdentity, told: str) -> list[Drawn]:
    """The pictures of the round that is told, else of the latest one that began before this one; none without any.

    Raises ValueError with one sentence where the one that is told is none.
    """
    if told.strip():
        return read_drawn(_told_round(told, identity))
    began = _began(out)
    earlier = [each for each in out.parent.iterdir() if 0 < _began(each) < began and _is_comparable(each, identity)]
    return read_drawn(max(earlier, key=_began)) if earlier else []


def _told_round(told: str, identity: RoundIdentity) -> Path:
    root = Path(folder_paths.get_output_directory()).resolve()
    place = (root / told.strip()).resolve()
    if "\0" in told or not place.is_relative_to(root) or not (place / IDENTITY).is_file():
        raise ValueError(
            f"There is no earlier round {told[:120]!r} in ComfyUI's output folder. Connect the folder of another "
            "Z-Image Curate as baseline."
        )
    if not _is_comparable(place, identity):
        raise ValueError(
            f"The earlier round in {place.name} was drawn or scored in another way. Give both nodes the same score, "
            "seed, steps, CFG, sampler, shift and latent."
        )
    return place


def _began(folder: Path) -> float:
    """In seconds; 0 for what is no round."""
    first = folder / FIRST
    return first.stat().st_mtime if first.is_file() else 0.0


def _is_comparable(folder: Path, identity: RoundIdentity) -> bool:
    """Whether all but the number of pictures is the same; pictures of the same prompts and seeds are compared."""
    try:
        found = RoundIdentity(**json.loads((folder / IDENTITY).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return False
    return replace(found, pictures=identity.pictures) == identity
