"""Which exact attention is fastest here: measured once for every shape, on the tensors of its first call.

Letters: b batch, h query heads, g key heads, n queries, m keys, e head width.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..attention import BACKENDS, Backend
from ..measure import Run, agree, seconds


class Shape(NamedTuple):
    """What a choice holds for."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    is_causal: bool


@dataclass(eq=False)
class Fastest:
    """An attention that tries every back-end that supports a shape, once, and keeps to the fastest that agrees."""

    backends: Mapping[str, Backend] = field(default_factory=lambda: BACKENDS)
    measure: Callable[[Run], float] = seconds
    chosen: dict[Shape, str] = field(default_factory=dict[Shape, str])

    def __call__(
        self,
        q: Float[Tensor, "b h n e"],
        k: Float[Tensor, "b g m e"],
        v: Float[Tensor, "b g m e"],
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "b n h*e"]:
        shape = Shape(tuple(q.shape), tuple(k.shape), q.dtype, q.device, is_causal)
        if shape not in self.chosen:
            runs = {
                name: (lambda backend=backend: backend.run(q, k, v, is_causal=is_causal))
                for name, backend in self.backends.items()
                if backend.supports(q)
            }
            self.chosen[shape] = self._fastest(runs)
        return self.backends[self.chosen[shape]].run(q, k, v, is_causal=is_causal)

    def _fastest(self, runs: Mapping[str, Run]) -> str:
        """The name of the fastest; the first, which everything supports, is what the others must agree with."""
        names = list(runs)
        if len(names) == 1:
            return names[0]
        truth = runs[names[0]]()
        times = {name: self.measure(run) for name, run in runs.items() if _agrees(run, truth)}
        return min(times, key=lambda name: times[name], default=names[0])


def _agrees(run: Run, truth: Tensor) -> bool:
    """Whether a back-end runs at all and computes the same. Running out of memory is the caller's business."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch explains at length why a kernel does not take a shape
            return agree(run(), truth)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        return False
