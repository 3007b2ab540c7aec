"""What a model file is, in words. A file that cannot be read gives a report too, not an error."""

from ....zimage_core.checkpoints import DIT, CheckpointError, inspect, read_lora
from .files import BUILT_IN, LORAS, path_of

NANO = "nano (20 steps, CFG 3); it comes with the pack"


def report(path: str) -> str:
    """What a file is, and the details of a LoRA."""
    try:
        found = inspect(path)
    except CheckpointError as error:
        return str(error)
    is_lora = found.folder == LORAS and found.found_bytes >= found.expected_bytes
    return f"{found.describe()}\n\n{_lora(path)}" if is_lora else found.describe()


def origin(name: str) -> dict[str, str]:
    """Release and number format of a file in the diffusion-model dropdown; nothing if it cannot be read."""
    try:
        found = inspect(path_of(DIT, name))
    except (CheckpointError, OSError):
        return {}
    return {"release": NANO if name == BUILT_IN else found.release, "numbers": found.precision}


def _lora(path: str) -> str:
    try:
        return read_lora(path).report().describe()
    except CheckpointError as error:
        return str(error)
