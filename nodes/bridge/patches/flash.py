"""FlashAttention's newer generations, for who installed them and chose them; ComfyUI itself knows the second.

Letters: b batch, n tokens, h heads, e head width. Generations 3 and 4 share one interface: tensors (b, n, h, e) of 16
bits in, the same out, in some releases with the logarithms of the sums beside it.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from einops import rearrange
from torch import Tensor

from ....zimage_core.measure import agree

LOGGER = logging.getLogger("zimage")
Attend = Callable[..., Any]


class Generation(NamedTuple):
    """One of FlashAttention's generations."""

    name: str
    load: Callable[[], Attend]
    cards: frozenset[int]  # their compute capability's first number


def fourth() -> Attend:
    """Of the package flash-attn-4."""
    from flash_attn.cute import flash_attn_func  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return cast("Attend", flash_attn_func)


def third() -> Attend:
    """Of the package flash-attn-3."""
    from flash_attn_interface import flash_attn_func  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return cast("Attend", flash_attn_func)


GENERATIONS = (  # newest first
    Generation("FlashAttention 4", fourth, frozenset({9, 10, 11, 12})),
    Generation("FlashAttention 3", third, frozenset({9})),
)


def newest(device: torch.device) -> tuple[str, Attend] | None:
    """The newest installed generation beyond ComfyUI's that is made for a card."""
    card = capability(device)
    for generation in GENERATIONS:
        attend = _loaded(generation) if card in generation.cards else None
        if attend is not None:
            return generation.name, attend
    return None


def capability(device: torch.device) -> int | None:
    """The first number of a card's compute capability; None of what is not NVIDIA's."""
    is_nvidia = device.type == "cuda" and torch.version.hip is None
    return torch.cuda.get_device_capability(device)[0] if is_nvidia else None


class Checked:
    """A package's attention in the form of ComfyUI's override, believed when it gives what ComfyUI's gives.

    Asked once for every shape; a wrong result or an exception ends its use. Masks and other types are none of its
    business.
    """

    def __init__(self, name: str, attend: Attend) -> None:
        self.name = name
        self.attend = attend
        self.agreed: set[tuple[Any, ...]] = set()
        self.is_off = False

    def __call__(
        self, host: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
    ) -> Tensor:
        is_other = args or kwargs.get("mask") is not None or q.dtype.itemsize != 2
        if self.is_off or is_other:
            return host(q, k, v, heads, *args, **kwargs)
        shape = (q.shape, k.shape, q.dtype, q.device)
        if shape in self.agreed:
            return self._run(q, k, v, heads, **kwargs)
        expected = host(q, k, v, heads, *args, **kwargs)
        found = self._checked(expected, q, k, v, heads, **kwargs)
        if found is None:
            return expected
        self.agreed.add(shape)
        return found

    def _checked(self, expected: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
        """The package's result, if it is one."""
        try:
            found = self._run(*args, **kwargs)
            trouble = None if agree(found, expected) else "it does not agree with ComfyUI's"
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a package's failure has any type; the work goes on without it
            found, trouble = None, str(error).partition("\n")[0]
        if trouble is None:
            return found
        self.is_off = True
        LOGGER.warning("Z-Image: %s is off, ComfyUI's attention runs instead: %s", self.name, trouble)
        return None

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
        """With ComfyUI's layouts on either side: heads before tokens where it says so, else laid side by side."""
        layout = "b h n e -> b n h e" if skip_reshape else "b n (h e) -> b n h e"
        width = {} if skip_reshape else {"e": q.shape[-1] // heads}  # keys may have fewer heads
        q, k, v = (rearrange(x, layout, **width) for x in (q, k, v))
        answer = self.attend(q, k, v, softmax_scale=scale)
        out: Tensor = answer[0] if isinstance(answer, tuple) else answer
        return rearrange(out, "b n h e -> b h n e" if skip_output_reshape else "b n h e -> b n (h e)")


def _loaded(generation: Generation) -> Attend | None:
    """A generation's function; None where it is not installed or cannot be loaded, for whatever reason."""
    try:
        return generation.load()
    except ModuleNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - compiled packages fail to load in many ways
        LOGGER.info("Z-Image: %s cannot be loaded: %s", generation.name, str(error).partition("\n")[0])
        return None
