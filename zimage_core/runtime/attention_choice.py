"""The fastest attention back-end for shapes of about one length, measured on the tensors of the first such call.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..attention import BACKENDS, Backend
from ..measure import Compute, run_and_compare, seconds


class Signature(NamedTuple):
    """What speed depends on; calls that agree in it use the same back-end. Lengths are rounded."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    is_causal: bool


@dataclass(eq=False)
class FastestAttention:
    """An attention function that measures all back-ends that support a call, once, and then uses the fastest.

    Back-ends that fail or give another result than the first one are left out.
    """

    backends: Mapping[str, Backend] = field(default_factory=lambda: BACKENDS)
    measure: Callable[[Compute], float] = seconds
    chosen: dict[Signature, str] = field(default_factory=dict[Signature, str])  # names of back-ends

    def __call__(
        self,
        q: Float[Tensor, "b h n e"],
        k: Float[Tensor, "b g m e"],
        v: Float[Tensor, "b g m e"],
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "b n h*e"]:
        signature = Signature(_rounded(q), _rounded(k), q.dtype, q.device, is_causal)
        if signature not in self.chosen:
            candidates = {
                name: partial(backend.run, q, k, v, is_causal=is_causal)
                for name, backend in self.backends.items()
                if backend.supports(q)
            }
            self.chosen[signature] = self._fastest(candidates)
        return self._run(signature, q, k, v)

    def _run(self, signature: Signature, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The chosen back-end; the first, from then on, if the chosen one does not take another length."""
        first, chosen = next(iter(self.backends)), self.chosen[signature]
        if chosen != first:
            try:
                return self.backends[chosen].run(q, k, v, is_causal=signature.is_causal)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:
                self.chosen[signature] = first
        return self.backends[first].run(q, k, v, is_causal=signature.is_causal)

    def _fastest(self, candidates: Mapping[str, Compute]) -> str:
        """The name of the fastest; results must agree with those of the first, which supports everything."""
        first, *others = candidates
        if not others:
            return first
        expected = candidates[first]()
        times = {name: self.measure(run) for name, run in candidates.items() if _is_valid(run, expected)}
        return min(times, key=lambda name: times[name], default=first)


def _rounded(x: Float[Tensor, "b h n e"]) -> tuple[int, ...]:
    """A shape with its length rounded down to three significant bits.

    Prompts change it in steps of 32 tokens beside a picture's thousands, which no back-end's place depends on.
    """
    *batch_and_heads, n, width = x.shape
    unit = 1 << max(0, n.bit_length() - 3)
    return (*batch_and_heads, n // unit * unit, width)


def _is_valid(run: Compute, expected: Tensor) -> bool:
    """Whether a back-end takes these tensors and gives the expected result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns at length about why a kernel does not take a shape
        return not isinstance(run_and_compare(run, expected, "another result", caught=RuntimeError), str)
