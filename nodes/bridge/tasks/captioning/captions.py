"""IMAGE to captions, one after the other; what a reader is sure of reading has to stand in them."""

from typing import Any

from comfy import model_management
from comfy.utils import ProgressBar

from .....zimage_core.language.back_end import Text
from .....zimage_core.language.captioning import KINDS as CORE_KINDS
from .....zimage_core.language.captioning import Caption, Known, Wish, caption, read_instructions
from .....zimage_core.language.captioning.caption import Language
from .....zimage_core.language.instructions import find_instructions
from .....zimage_core.scoring.lettering import sure_lines
from ...loading import prompt_files
from ...loading.files import file_state
from .. import scores
from .captioners import captioner_of

KINDS = list(CORE_KINDS)
LANGUAGES: dict[str, Language] = {"English": "en", "Chinese": "zh"}
INSTRUCTIONS = "instructions/caption"  # in user/zimage
FACTS = "facts"


def captions_of(images: Any, captioner: str, kind: str, language: str, seed: int, known: str) -> list[Caption]:
    """A caption for each picture; ValueError with one sentence for one that got none."""
    back_end, pictures = captioner_of(captioner), scores.pil_pictures(images)
    wish = Wish(kind=kind, language=LANGUAGES[language], seed=seed)
    [instruction] = read_instructions(kind, wish.language, [prompt_files.user_folder() / INSTRUCTIONS]).files
    facts = {FACTS: " ".join(known.split())} if known.strip() else {}
    bar = ProgressBar(len(pictures))
    found: list[Caption] = []
    for number, picture in enumerate(pictures, 1):
        model_management.throw_exception_if_processing_interrupted()
        lettering = _lettering(picture, wish.language) if back_end.reads_instructions else ()
        told = caption(picture, back_end, instruction, wish, Known(lettering=lettering, facts=facts), interruptible)
        if not told.text:
            raise ValueError(f"Picture {number} got no caption: {told.problem}.")
        found.append(told)
        bar.update(1)
    return found


def report(captions: list[Caption]) -> str:
    """What the node shows: each caption, and what is wrong with it."""
    return "\n".join(f"{each.text} ({each.problem})" if each.problem else each.text for each in captions)


def instruction_state() -> str:
    """Changes with the user's own instructions."""
    found = find_instructions("caption", [prompt_files.user_folder() / INSTRUCTIONS])
    return " ".join(f"{file} {file_state(str(file))}" for file in found.values())


def _lettering(picture: Any, language: str) -> tuple[str, ...]:
    """The lines in a picture; none where no reader of text is installed."""
    reader = scores.installed_reader()
    return tuple(sure_lines(reader.read(picture, language))) if reader else ()


def interruptible(text: Text) -> None:
    """Stop what is written where the user has pressed Cancel."""
    model_management.throw_exception_if_processing_interrupted()
