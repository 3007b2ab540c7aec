"""Scaled dot-product attention behind one signature.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.

A back-end is a function with this signature and a predicate for the inputs it supports. PyTorch chooses among its
kernels by fixed rules; `runtime/attention_choice.py` measures them. Networks take the attention function as an
argument, so that ComfyUI's, or a faster one, can take its place.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
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


MIN_SLICE = 16  # queries


def attention_in_slices(
    q: Float[Tensor, "b h n e"], k: Float[Tensor, "b h m e"], v: Float[Tensor, "b h m e"]
) -> Float[Tensor, "b n h*e"]:
    """`attention`, with the queries in slices where no fused kernel takes the head width, and where memory runs out.

    Without a fused kernel all scores are written to memory, n·m of them: 8.6 GB in 16 bits for the one head of an
    autoencoder at 2048x2048, and more than MPS can address. Where one runs, the call and its bits are `attention`'s.
    """
    n = q.shape[2]
    size = n if has_fused_kernel(q, k, v) else slice_size(q.shape[3])
    while True:
        try:
            return _attention_by(size, q, k, v)
        except torch.OutOfMemoryError:
            if size <= MIN_SLICE:
                raise
        # outside of `except`, whose exception keeps the tensors of the failed attempt
        size = max(MIN_SLICE, min(size, n) // 2)


def slice_size(width: int) -> int:
    """Queries of one slice: its scores and their softmax, in float32, take what the keys take in 16 bits."""
    return max(MIN_SLICE, width // 4)


def _attention_by(
    size: int, q: Float[Tensor, "b h n e"], k: Float[Tensor, "b h m e"], v: Float[Tensor, "b h m e"]
) -> Float[Tensor, "b n h*e"]:
    """`attention` of `size` queries at a time."""
    b, h, n, _ = q.shape
    if size >= n:
        return attention(q, k, v)
    out = q.new_empty(b, n, h * v.shape[-1])
    for start in range(0, n, size):
        out[:, start : start + size] = attention(q[:, :, start : start + size], k, v)
    return out


def _fused_choice(q: Tensor, k: Tensor, v: Tensor) -> int:
    """The number of the back-end PyTorch's attention would choose; looked up by name, as it is not public."""
    return getattr(torch, "_fused_sdp_choice")(q, k, v)  # noqa: B009


def has_fused_kernel(q: Float[Tensor, "b h n e"], k: Float[Tensor, "b h m e"], v: Float[Tensor, "b h m e"]) -> bool:
    """Whether PyTorch's attention runs in one kernel, which keeps no scores; by its own choice where it tells it.

    NVIDIA's and the CPU's take any head width, AMD's (AOTriton) at most 256; MPS has none that it tells of.
    """
    try:
        return int(_fused_choice(q, k, v)) > int(SDPBackend.MATH.value)
    except NotImplementedError:
        return False
