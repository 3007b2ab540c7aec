"""A list of LoRAs, written as text, on a MODEL, and what an artist wants to know of each."""

from collections.abc import Iterable, Sequence
from typing import Any

from ....zimage_core.adapters import Lora, parameter_shapes
from ....zimage_core.checkpoints import Row, by_blocks, choose, parse_rows, read_lora, trained_for, trigger_words
from ..loading import files, inspection
from . import lora_change, lora_windows, loras

RELEASES = ("Turbo (", "base (")  # how the releases begin that a LoRA can be trained for and miss
NOTHING = "No LoRA is on: every line is empty or begins with #."


def load_list(model: Any, text: str, model_file: str | None, most_change: float = 0.0) -> tuple[Any, str, str]:
    """A clone of the MODEL with the LoRAs of a list, a report, and their trigger words between commas.

    The MODEL itself if none acts. Its release is told from its file in the dropdown of diffusion models, if known.
    `most_change` is what the weights may change by, in percent; 0 is no limit. Raises `ValueError` for a line that
    cannot be read or a file that is not there.
    """
    shapes = parameter_shapes(model.model.diffusion_model)
    read = [(row, read_lora(files.lora_path(name)).fitted(shapes)) for row, name in _chosen(text)]
    active = [(row, lora) for row, lora in read if row.strength.acts]
    release = inspection.origin(model_file).get("release", "") if model_file and read else ""
    words = dict.fromkeys(word for _, lora in active for word in trigger_words(lora.metadata))
    report = [_description(row, lora, release, shapes) for row, lora in read]
    if active:
        change = lora_change.measure(model, [(lora, row.strength) for row, lora in active])
        factor = change.factor_below(most_change / 100)
        model = _apply(model, active, factor)
        report.append(change.describe(factor))
    return model, "\n\n".join(report) or NOTHING, ", ".join(words)


def check(text: str | None) -> bool | str:
    """True, or one sentence on the first line that cannot be read, whose file is not there, or which cannot be done.

    None is a linked text.
    """
    try:
        for row, name in _chosen(text or ""):
            lora_windows.check_header(row, files.lora_path(name))
    except (ValueError, OSError) as error:
        return str(error)
    return True


def state(text: str) -> str:
    """Changes when one of the list's files does; files that are not there and lines in error are left out."""
    try:
        return " ".join(files.file_state(files.lora_path(name)) for _, name in _chosen(text))
    except (ValueError, OSError):
        return ""  # running tells what is wrong


def _chosen(text: str) -> list[tuple[Row, str]]:
    """The rows of a list that are on, each with the file it means."""
    names = files.lora_names()
    return [(row, choose(row, names)) for row in parse_rows(text)]


def _apply(model: Any, rows: Sequence[tuple[Row, Lora]], factor: float) -> Any:
    """A clone with LoRAs as weight patches or, where a strength changes between steps, beside the layers.

    The MODEL itself if their factors for blocks leave nothing. All strengths are multiplied with `factor`.
    """
    constant: list[tuple[Lora, float]] = []
    windows: list[lora_windows.Window] = []
    for row, lora in rows:
        strength = row.strength if factor == 1 else row.strength.times(factor)
        for part, share in by_blocks(lora, strength):
            if strength.is_constant:
                constant.append((part, strength.first * share))
            else:
                lora_windows.check_may_change(row.line, part)
                windows.append(lora_windows.Window(part, strength.times(share).at))
    model = loras.apply(model, constant) if constant else model
    return lora_windows.with_windows(model, windows) if windows else model


def _description(row: Row, lora: Lora, release: str, parameters: Iterable[str]) -> str:
    """A few lines on one LoRA."""
    report = lora.report()
    total = report.matched + len(report.unmatched)
    words = ", ".join(trigger_words(lora.metadata))
    written = f"{row.name} : {row.strength}"
    lines = [
        written if row.strength.acts else f"{written} (left out: its strength is 0)",
        f"{report.matched} of {total} modules; {' and '.join(report.kinds)}, {report.family}",
        *report.unused(),
        _no_block(row, parameters),
        f"Trigger words: {words}" if words else "",
        _mismatch(lora, release),
    ]
    return "\n".join(line for line in lines if line)


def _no_block(row: Row, parameters: Iterable[str]) -> str:
    """A word when factors are given for blocks that the network does not have."""
    names = row.strength.without_block(parameters)
    if not names:
        return ""
    n_layers = len({each.split(".")[1] for each in parameters if each.startswith("layers.")})
    return (
        f"Not in this model, so without effect: blocks {', '.join(names)}. Its main layers are 0 to {n_layers - 1}; a "
        "name is noise_refiner, context_refiner or rest."
    )


def _mismatch(lora: Lora, release: str) -> str:
    """A word when a LoRA for Turbo meets base, or the reverse; empty if either is not known."""
    trained = trained_for(lora.metadata)
    if trained is None or not release.startswith(RELEASES) or release.startswith(trained):
        return ""
    found, _, _ = release.partition(" ")
    return f"Trained for {trained}, but this model is {found}: it may act weakly or blur; try another strength."
