"""The fastest attention back-end for every shape, measured on the tensors of the first call with that shape.

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
    """What kernels depend on; calls that agree in it use the same back-end."""

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
        signature = Signature(tuple(q.shape), tuple(k.shape), q.dtype, q.device, is_causal)
        if signature not in self.chosen:
            candidates = {
                name: partial(backend.run, q, k, v, is_causal=is_causal)
                for name, backend in self.backends.items()
                if backend.supports(q)
            }
            self.chosen[signature] = self._fastest(candidates)
        return self.backends[self.chosen[signature]].run(q, k, v, is_causal=is_causal)

    def _fastest(self, candidates: Mapping[str, Compute]) -> str:
        """The name of the fastest; results must agree with those of the first, which supports everything."""
        first, *others = candidates
        if not others:
            return first
        expected = candidates[first]()
        times = {name: self.measure(run) for name, run in candidates.items() if _is_valid(run, expected)}
        return min(times, key=lambda name: times[name], default=first)


def _is_valid(run: Compute, expected: Tensor) -> bool:
    """Whether a back-end takes these tensors and gives the expected result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns at length about why a kernel does not take a shape
        return not isinstance(run_and_compare(run, expected, "another result", caught=RuntimeError), str)
