"""What a model file is, in words. A file that cannot be read gives a report too, not an error."""

from dataclasses import replace

from ....zimage_core.checkpoints import DIT, CheckpointError, inspect, read_lora
from .files import BUILT_IN, LORAS, path_of

NANO = "nano (20 steps, CFG 3); it comes with the pack"


def description(path: str) -> str:
    """What a file is, and the details of a LoRA."""
    try:
        report = inspect(path)
    except CheckpointError as error:
        return str(error)
    if report.folder != LORAS or report.found_bytes < report.expected_bytes:
        return report.describe()
    try:
        return f"{report.describe()}\n\n{read_lora(path).report().describe()}"
    except CheckpointError as error:  # which says what to do, and not to load it
        return f"{replace(report, advice='').describe()}\n\n{error}"


def origin(name: str) -> dict[str, str]:
    """Release and number format of a file in the diffusion-model dropdown; nothing if it cannot be read."""
    try:
        report = inspect(path_of(DIT, name))
    except (CheckpointError, OSError):
        return {}
    return {"release": NANO if name == BUILT_IN else report.release, "numbers": report.precision}
