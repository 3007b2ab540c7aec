"""What a model file is, in words. A file that cannot be read is an answer too, not an error."""

from ....zimage_core.checkpoints import DIT, CheckpointError, inspect, read_lora
from .files import BUILT_IN, LORAS, path_of

NANO = "nano (20 steps, CFG 3); it comes with the pack"


def report(path: str) -> str:
    """The verdict on a file, and what there is to say of a LoRA."""
    try:
        verdict = inspect(path)
    except CheckpointError as error:
        return str(error)
    is_lora = verdict.folder == LORAS and verdict.found >= verdict.expected
    return f"{verdict.describe()}\n\n{_lora(path)}" if is_lora else verdict.describe()


def origin(name: str) -> dict[str, str]:
    """Release and number format of a file in the diffusion-model dropdown; nothing if it cannot be read."""
    try:
        verdict = inspect(path_of(DIT, name))
    except (CheckpointError, OSError):
        return {}
    return {"release": NANO if name == BUILT_IN else verdict.release, "numbers": verdict.precision}


def _lora(path: str) -> str:
    try:
        return read_lora(path).report().describe()
    except CheckpointError as error:
        return str(error)
