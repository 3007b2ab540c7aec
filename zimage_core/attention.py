"""Scaled dot-product attention behind one signature.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.

A back-end is a function with this signature and a claim about the inputs it supports. PyTorch picks its kernel by
rules; runtime/fastest.py by measuring.
Networks take the function as an argument, so a host can put its own in place.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from einops import rearrange
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from ._shapes import Float


@runtime_checkable
class Attention(Protocol):
    """softmax(q kT / sqrt(e)) v with the heads laid side by side; `is_causal` hides later keys."""

    def __call__(
        self,
        q: Float[Tensor, "b h n e"],
        k: Float[Tensor, "b g m e"],
        v: Float[Tensor, "b g m e"],
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "b n h*e"]: ...


def sdpa(
    q: Float[Tensor, "b h n e"],
    k: Float[Tensor, "b g m e"],
    v: Float[Tensor, "b g m e"],
    *,
    is_causal: bool = False,
) -> Float[Tensor, "b n h*e"]:
    """PyTorch's own attention; key heads fewer than query heads are shared in order."""
    out = scaled_dot_product_attention(q, k, v, is_causal=is_causal, enable_gqa=q.shape[1] != k.shape[1])
    return rearrange(out, "b h n e -> b n (h e)")


def only(backend: SDPBackend) -> Attention:
    """The same by one of PyTorch's kernels; a RuntimeError where that kernel cannot."""

    def run(
        q: Float[Tensor, "b h n e"],
        k: Float[Tensor, "b g m e"],
        v: Float[Tensor, "b g m e"],
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "b n h*e"]:
        with sdpa_kernel(backend):
            return sdpa(q, k, v, is_causal=is_causal)

    return run


class Backend(NamedTuple):
    """An attention function and the inputs it takes."""

    run: Attention
    supports: Callable[[Tensor], bool]  # asked with the queries


def _in_16_bits_on_cuda(q: Tensor) -> bool:
    return q.is_cuda and q.dtype.itemsize == 2


# All exact: they differ in the order of sums alone.
BACKENDS: dict[str, Backend] = {
    "sdpa": Backend(sdpa, lambda q: True),
    "cudnn": Backend(only(SDPBackend.CUDNN_ATTENTION), _in_16_bits_on_cuda),
    "flash": Backend(only(SDPBackend.FLASH_ATTENTION), _in_16_bits_on_cuda),
    "efficient": Backend(only(SDPBackend.EFFICIENT_ATTENTION), lambda q: q.is_cuda),
}


def attention(
    q: Float[Tensor, "b h n e"],
    k: Float[Tensor, "b g m e"],
    v: Float[Tensor, "b g m e"],
    *,
    is_causal: bool = False,
) -> Float[Tensor, "b n h*e"]:
    """Attend with the first back-end of the table that supports the queries."""
    backend = next(entry for entry in BACKENDS.values() if entry.supports(q))
    return backend.run(q, k, v, is_causal=is_causal)
