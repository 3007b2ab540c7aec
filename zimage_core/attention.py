"""Scaled dot-product attention behind one signature.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.

A back-end is a function with this signature and a predicate for the inputs it supports. PyTorch chooses among its
kernels by fixed rules; `runtime/attention_choice.py` measures them. Networks take the attention function as an
argument, so that ComfyUI's, or a faster one, can take its place.
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
    """softmax(q k.T / sqrt(e)) v, with heads concatenated in the output; `is_causal` masks later keys."""

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
    """PyTorch's attention; with fewer key heads than query heads (GQA), consecutive query heads share one."""
    out = scaled_dot_product_attention(q, k, v, is_causal=is_causal, enable_gqa=q.shape[1] != k.shape[1])
    return rearrange(out, "b h n e -> b n (h e)")


def sdpa_on(backend: SDPBackend) -> Attention:
    """PyTorch's attention by one of its kernels; raises RuntimeError for inputs the kernel does not take."""

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
    """An attention function, and whether it supports given queries."""

    run: Attention
    supports: Callable[[Tensor], bool]  # called with q


def _is_16_bit_on_cuda(q: Tensor) -> bool:
    return q.is_cuda and q.dtype.itemsize == 2


# All are exact: results differ by the order of summation only. The first supports everything.
BACKENDS: dict[str, Backend] = {
    "sdpa": Backend(sdpa, lambda q: True),
    "cudnn": Backend(sdpa_on(SDPBackend.CUDNN_ATTENTION), _is_16_bit_on_cuda),
    "flash": Backend(sdpa_on(SDPBackend.FLASH_ATTENTION), _is_16_bit_on_cuda),
    "efficient": Backend(sdpa_on(SDPBackend.EFFICIENT_ATTENTION), lambda q: q.is_cuda),
}


def attention(
    q: Float[Tensor, "b h n e"],
    k: Float[Tensor, "b g m e"],
    v: Float[Tensor, "b g m e"],
    *,
    is_causal: bool = False,
) -> Float[Tensor, "b n h*e"]:
    """Attention with the first back-end in `BACKENDS` that supports the queries."""
    backend = next(entry for entry in BACKENDS.values() if entry.supports(q))
    return backend.run(q, k, v, is_causal=is_causal)
