"""What a model file is, in words. A file that cannot be read gives a report too, not an error."""

from dataclasses import replace
from pathlib import Path

from ....zimage_core.checkpoints import DIT, CheckpointError, header_of, inspect, read_lora
from ....zimage_core.checkpoints.identify.release import NANO
from ....zimage_core.checkpoints.identify.report import FileReport
from ....zimage_core.config import NANO_LONGEST_SIDE, NANO_SIDE
from ....zimage_core.merging import describe_merge, merge_of
from .files import BUILT_IN, LORAS, path_of

RELEASED = {"side": 1024, "shortest": 256, "longest": 6272}  # generous: 0.25 to 16 megapixels at every ratio


def description(path: str) -> str:
    """What a file is, the details of a LoRA, and of what a merged file was made."""
    try:
        report = inspect(path)
    except CheckpointError as error:
        return str(error)
    merge = merge_of(header_of(Path(path)).metadata) if Path(path).is_file() else None
    return "\n\n".join([_described(path, report), *([describe_merge(merge)] if merge else [])])


def _described(path: str, report: FileReport) -> str:
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
    return {
        "release": f"{NANO}; it comes with the pack" if name == BUILT_IN else report.release,
        "numbers": report.precision,
    }


def native_size(name: str, release: str) -> dict[str, dict[str, int]]:
    """The side in pixels a model of the dropdown was made for, and the sides it draws; nothing for unknown models."""
    if name == BUILT_IN or release.startswith(NANO):
        return {"native": {"side": NANO_SIDE, "shortest": NANO_SIDE, "longest": NANO_LONGEST_SIDE}}
    return {"native": RELEASED} if release else {}
