"""A list of LoRAs, written as text, on a MODEL, and what an artist wants to know of each."""

from typing import Any

from ....zimage_core.adapters import Lora, parameter_shapes
from ....zimage_core.checkpoints import Row, choose, parse_rows, read_lora, trained_for, trigger_words
from ..loading import files, inspection
from . import loras

RELEASES = ("Turbo (", "base (")  # how the releases begin that a LoRA can be trained for and miss
NOTHING = "No LoRA is on: every line is empty or begins with #."


def load_list(model: Any, text: str, model_file: str | None) -> tuple[Any, str, str]:
    """A clone of the MODEL with the LoRAs of a list, a report, and their trigger words between commas.

    The MODEL itself if none acts. Its release is told from its file in the dropdown of diffusion models, if known.
    Raises `ValueError` for a line that cannot be read or a file that is not there.
    """
    rows, names = parse_rows(text), files.lora_names()
    chosen = [(row, choose(row, names)) for row in rows]
    shapes = parameter_shapes(model.model.diffusion_model)
    read = [(row, read_lora(files.lora_path(name)).fitted(shapes)) for row, name in chosen]
    active = [(lora, row.strength) for row, lora in read if row.strength]
    release = inspection.origin(model_file).get("release", "") if model_file and read else ""
    words = dict.fromkeys(word for lora, _ in active for word in trigger_words(lora.metadata))
    report = "\n\n".join(_description(row, lora, release) for row, lora in read)
    return (loras.apply(model, active) if active else model), report or NOTHING, ", ".join(words)


def state(text: str) -> str:
    """Changes when one of the list's files does; files that are not there and lines in error are left out."""
    try:
        names = files.lora_names()
        return " ".join(files.file_state(files.lora_path(choose(row, names))) for row in parse_rows(text))
    except (ValueError, OSError):
        return ""  # running tells what is wrong


def _description(row: Row, lora: Lora, release: str) -> str:
    """A few lines on one LoRA."""
    report = lora.report()
    total = report.matched + len(report.unmatched)
    words = ", ".join(trigger_words(lora.metadata))
    lines = [
        f"{row.name} : {row.strength:g}{'' if row.strength else ' (left out: its strength is 0)'}",
        f"{report.matched} of {total} modules; {' and '.join(report.kinds)}, {report.family}",
        *report.unused(),
        f"Trigger words: {words}" if words else "",
        _mismatch(lora, release),
    ]
    return "\n".join(line for line in lines if line)


def _mismatch(lora: Lora, release: str) -> str:
    """A word when a LoRA for Turbo meets base, or the reverse; empty if either is not known."""
    trained = trained_for(lora.metadata)
    if trained is None or not release.startswith(RELEASES) or release.startswith(trained):
        return ""
    found, _, _ = release.partition(" ")
    return f"Trained for {trained}, but this model is {found}: it may act weakly or blur; try another strength."
