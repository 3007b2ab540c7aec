"""What a model file is, in words. A file that cannot be read is an answer too, not an error."""

from ...zimage_core.checkpoints import CheckpointError, inspect, read_lora
from .files import LORAS


def report(path: str) -> str:
    """The verdict on a file, and what there is to say of a LoRA."""
    try:
        verdict = inspect(path)
    except CheckpointError as error:
        return str(error)
    is_lora = verdict.folder == LORAS and verdict.found >= verdict.expected
    return f"{verdict.describe()}\n\n{_lora(path)}" if is_lora else verdict.describe()


def _lora(path: str) -> str:
    try:
        return read_lora(path).report().describe()
    except CheckpointError as error:
        return str(error)
