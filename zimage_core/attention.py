"""Scaled dot-product attention behind one signature.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.

A back-end is a function with this signature and a claim about the inputs it supports; the table has one entry today.
Networks take the function as an argument, so a host can put its own in place.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from einops import rearrange
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ._shapes import Float


@runtime_checkable
class Attention(Protocol):
    """softmax(q kᵀ / √e) v with the heads laid side by side; `is_causal` hides later keys."""

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


class Backend(NamedTuple):
    """An attention function and the inputs it takes."""

    run: Attention
    supports: Callable[[Tensor], bool]  # asked with the queries


BACKENDS: dict[str, Backend] = {"sdpa": Backend(sdpa, lambda q: True)}


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
