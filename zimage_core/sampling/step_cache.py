"""Step caching: where the velocity hardly changes, the last one is used again and the network rests. Lossy.

The scheme is EasyCache (Zhou et al. 2025, arXiv 2507.02860; also in ComfyUI and stable-diffusion.cpp): no training, no
calibration, no look inside the network. Each real evaluation measures how fast the velocity follows the latent,
k = |v - v'| / |x - x'|, where bars are means of absolute values. From then on every step adds its estimated relative
change k·|dx| / |v|, and when the sum reaches the threshold the network runs again.

Two choices of ours. What is kept is v, not v - x: on a straight flow v is constant, so that skipping is exact there.
And the prompts of a guided step rest together, when the one that changes most may: guidance multiplies the difference
of two velocities, and ages that differ would be multiplied with it. docs/log.md has the measurements of both.

Letters: b batch, c latent channels, k prompts. A prompt's evaluations are a stream, those at one latent are a point.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .._shapes import Float


@dataclass(frozen=True, kw_only=True)
class StepCache:
    """How much change is let pass, and when. The defaults change nothing."""

    threshold: float = 0.0  # estimated relative change of the velocity since it was computed; 0 = no caching
    start: float = 0.15  # steps before this part of the run are computed: they decide the composition
    end: float = 0.95  # and those reaching past this one: nothing after them corrects a mistake
    max_skips: int = 3  # points in a row

    def __post_init__(self) -> None:
        if not self.threshold >= 0:
            raise ValueError(f"the cache threshold must be 0 (off) or positive, not {self.threshold}")
        if not 0 <= self.start <= self.end <= 1:
            raise ValueError(
                f"caching must start and end between 0 (first step) and 1 (last step), in this order, not {self.start} "
                f"and {self.end}"
            )
        if self.max_skips < 1:
            raise ValueError(
                f"the most steps skipped in a row must be at least 1, not {self.max_skips}; to skip none, set the "
                "cache threshold to 0"
            )

    @property
    def is_on(self) -> bool:
        """Whether anything may be skipped at all."""
        return self.threshold > 0

    def covers(self, step: int, total: int) -> bool:
        """Whether the step from part step / total of the run to part (step + 1) / total may be skipped."""
        return self.start <= step / total and (step + 1) / total <= self.end


UNCACHED = StepCache()


@dataclass(kw_only=True)
class Stream:
    """One prompt's last real evaluation."""

    velocity: Float[Tensor, "b c _ _"]
    x: Float[Tensor, "b c _ _"]  # where it was made
    rate: Float[Tensor, " b"] | None  # how fast the velocity follows the latent; known from the second one on
    change: Float[Tensor, " b"]  # estimated relative change since
    is_used: bool = True  # at the current point


@dataclass(kw_only=True)
class CachedRun:
    """What one sampling run remembers, and what it counts."""

    cache: StepCache
    sigmas: Sequence[float]
    computed: int = 0  # network evaluations made
    reused: int = 0  # and those that a kept velocity stood in for
    streams: dict[Hashable, Stream] = field(default_factory=dict[Hashable, Stream])
    asked: Counter[Hashable] = field(default_factory=Counter[Hashable])  # at this point
    x: Tensor | None = None  # this point's latent
    n_skipped: int = 0  # points in a row
    is_resting: bool = False  # at this point

    def begin(self, x: Float[Tensor, "b c _ _"], sigma: float) -> None:
        """A new point: decide, once for all prompts, whether the network rests. Waits for the device once."""
        if not self.cache.is_on:
            return
        before, self.x = self.x, x.clone()
        self.asked.clear()
        # a prompt that was left out at the last point begins anew when it comes back
        self.streams = {key: stream for key, stream in self.streams.items() if stream.is_used}
        if before is None or before.shape != x.shape:
            self.streams.clear()
        for stream in self.streams.values():
            stream.is_used = False
            if stream.rate is not None and before is not None:
                stream.change = stream.change + stream.rate * size(x - before) / size(stream.velocity)
        self.is_resting = self._covers(sigma) and self._is_still()
        self.n_skipped = self.n_skipped + 1 if self.is_resting else 0

    def evaluate(self, keys: Sequence[Hashable], compute: Callable[[], Tensor]) -> Float[Tensor, "kb c _ _"]:
        """Velocities of one or several prompts in a batch, kept or computed.

        A prompt asked twice at one point, as perturbed guidance does, has a stream for each.
        """
        if not self.cache.is_on:
            self.computed += len(keys)
            return compute()
        names = [self._name(key) for key in keys]
        kept = [self.streams[name] for name in names if name in self.streams]
        if self.is_resting and len(kept) == len(names):
            for stream in kept:
                stream.is_used = True
            self.reused += len(names)
            return torch.cat([stream.velocity for stream in kept])
        velocities = compute()
        for name, velocity in zip(names, velocities.chunk(len(names)), strict=True):
            self.streams[name] = self._renewed(self.streams.get(name), velocity)
        self.computed += len(names)
        return velocities

    def clear(self) -> None:
        """Forget every tensor."""
        self.streams.clear()
        self.x = None

    def _covers(self, sigma: float) -> bool:
        """Points between two levels, of solvers that look ahead, belong to the step they lie in."""
        step = max(0, sum(level >= sigma for level in self.sigmas) - 1)
        return self.n_skipped < self.cache.max_skips and self.cache.covers(step, len(self.sigmas) - 1)

    def _is_still(self) -> bool:
        """Whether every picture of every prompt is believed to have changed by less than the threshold."""
        streams = self.streams.values()
        if not streams or any(stream.rate is None for stream in streams):
            return False
        return bool((torch.stack([stream.change for stream in streams]) < self.cache.threshold).all())

    def _name(self, key: Hashable) -> Hashable:
        self.asked[key] += 1
        return key, self.asked[key]

    def _renewed(self, stream: Stream | None, velocity: Tensor) -> Stream:
        assert self.x is not None, "begin comes before evaluate"
        rate = None
        if stream is not None and stream.velocity.shape == velocity.shape:
            rate = size(velocity - stream.velocity) / size(self.x - stream.x)
        kept = velocity.clone()
        return Stream(velocity=kept, x=self.x, rate=rate, change=torch.zeros_like(size(kept)))


def size(x: Float[Tensor, "b c _ _"]) -> Float[Tensor, " b"]:
    """Mean absolute value of each item, in float32."""
    return x.float().abs().flatten(1).mean(dim=1)
