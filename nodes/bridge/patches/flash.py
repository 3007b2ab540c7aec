"""FlashAttention 3 and 4 as ComfyUI's attention, if they are installed and the node asks for them.

ComfyUI itself supports FlashAttention 2. Versions 3 and 4 share one interface: tensors (b, n, h, e) in 16 bits in, the
same out; some releases return a tuple of the output and the log-sum-exp of the scores.

Letters: b batch, n tokens, h heads, e head width.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from einops import rearrange
from torch import Tensor

from ....zimage_core.measure import first_line, run_and_compare

LOGGER = logging.getLogger("zimage")
Attend = Callable[..., Any]


class Generation(NamedTuple):
    """One major version of FlashAttention."""

    name: str
    load: Callable[[], Attend]
    capabilities: frozenset[int]  # major compute capabilities of the GPUs it has kernels for


def load_flash_attention_4() -> Attend:
    """The attention function of the package flash-attn-4."""
    from flash_attn.cute import flash_attn_func  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return cast("Attend", flash_attn_func)


def load_flash_attention_3() -> Attend:
    """The attention function of the package flash-attn-3."""
    from flash_attn_interface import flash_attn_func  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return cast("Attend", flash_attn_func)


GENERATIONS = (  # newest first
    Generation("FlashAttention 4", load_flash_attention_4, frozenset({9, 10, 11, 12})),
    Generation("FlashAttention 3", load_flash_attention_3, frozenset({9})),
)


def newest(device: torch.device) -> tuple[str, Attend] | None:
    """Name and function of the newest installed version with kernels for a device; None if there is none."""
    major = major_capability(device)
    for generation in GENERATIONS:
        attend = _loaded(generation) if major in generation.capabilities else None
        if attend is not None:
            return generation.name, attend
    return None


def major_capability(device: torch.device) -> int | None:
    """The major number of a GPU's compute capability; None for devices that are not NVIDIA GPUs."""
    is_nvidia = device.type == "cuda" and torch.version.hip is None
    return torch.cuda.get_device_capability(device)[0] if is_nvidia else None


class CheckedAttention:
    """A package's attention as an `optimized_attention_override`, checked against ComfyUI's attention.

    The first call with each shape runs both; after a wrong result or an exception the package is not used again. Calls
    with a mask, with positional options or in dtypes other than 16 bits always go to ComfyUI's attention.
    """

    def __init__(self, name: str, attend: Attend) -> None:
        self.name = name
        self.attend = attend
        self.agreed: set[tuple[Any, ...]] = set()
        self.is_off = False

    def __call__(
        self, stock: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
    ) -> Tensor:
        """Attention in ComfyUI's layouts; `stock` is the function that ComfyUI would have called."""
        is_unsupported = args or kwargs.get("mask") is not None or q.dtype.itemsize != 2
        if self.is_off or is_unsupported:
            return stock(q, k, v, heads, *args, **kwargs)
        shape = (q.shape, k.shape, q.dtype, q.device)
        run = partial(self._run, q, k, v, heads, **kwargs)
        if shape in self.agreed:
            return run()
        expected = stock(q, k, v, heads, *args, **kwargs)
        found = run_and_compare(run, expected, "it does not agree with ComfyUI's")
        if isinstance(found, str):
            self.is_off = True
            LOGGER.warning("Z-Image: %s is off, ComfyUI's attention runs instead: %s", self.name, found)
            return expected
        self.agreed.add(shape)
        return found

    def _run(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        skip_reshape: bool = False,
        skip_output_reshape: bool = False,
        scale: float | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """The package's attention between ComfyUI's layouts: b h n e where `skip_…` is set, else b n (h e)."""
        layout = "b h n e -> b n h e" if skip_reshape else "b n (h e) -> b n h e"
        width = {} if skip_reshape else {"e": q.shape[-1] // heads}  # keys may have fewer heads
        q, k, v = (rearrange(x, layout, **width) for x in (q, k, v))
        result = self.attend(q, k, v, softmax_scale=scale)
        out: Tensor = result[0] if isinstance(result, tuple) else result
        return rearrange(out, "b n h e -> b h n e" if skip_output_reshape else "b n h e -> b n (h e)")


def _loaded(generation: Generation) -> Attend | None:
    """The attention function of a version; None if it is not installed or fails to load."""
    try:
        return generation.load()
    except ModuleNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - compiled packages fail to load in many ways
        LOGGER.info("Z-Image: %s cannot be loaded: %s", generation.name, first_line(error))
        return None
