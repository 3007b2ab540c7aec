"""Which ComfyUI this is, and what it cannot do."""

import logging
import re

import comfy.quant_ops
import comfyui_version

LOGGER = logging.getLogger("zimage")
VERSION: str = comfyui_version.__version__
# As pyproject.toml says; one minor version older runs as well, but no archive of it is published.
OLDEST_TESTED = (0, 16)
INT8_FORMAT = "int8_tensorwise"


def int8_refusal() -> str | None:
    """Why this ComfyUI cannot compute in int8, or None where it can."""
    if INT8_FORMAT in comfy.quant_ops.QUANT_ALGOS:
        return None
    return f"ComfyUI {VERSION} has no int8 layers, which came with 0.27; update ComfyUI to use them"


def warn_if_untested() -> None:
    """A line in the log where this ComfyUI is older than the oldest one the pack is tested with."""
    found = tuple(int(part) for part in re.findall(r"\d+", VERSION)[:2])
    if found < OLDEST_TESTED:
        oldest = ".".join(map(str, OLDEST_TESTED))
        LOGGER.warning(
            "Z-Image: tested with ComfyUI %s and newer, this is %s; update it if a node fails", oldest, VERSION
        )
