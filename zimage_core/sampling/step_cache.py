"""Step caching: where the velocity hardly changes, a step reuses the last one instead of running the network. Lossy.

The scheme is EasyCache (Zhou et al. 2025, arXiv 2507.02860; also in ComfyUI and stable-diffusion.cpp): no training, no
calibration, no access to the network's inside. Each computed velocity gives the rate at which it changes with the
latent, k = |v - v'| / |x - x'|, where |.| is the mean of absolute values. From then on every step adds its estimated
relative change k·|dx| / |v|, and once the sum reaches the threshold the network runs again.

Two differences from EasyCache. It caches v, not v - x: on a straight flow v is constant, so that skipping is exact
there. And the prompts of a guided step are skipped together, only when all of them may be: guidance multiplies the
difference of two velocities, and would multiply the error of two velocities of different age. docs/log.md has the
measurements of both.

A step in this file is one latent at which a solver evaluates the velocity, for all prompts: Heun has two of them
between two noise levels.

Letters: b batch, c latent channels, p prompts.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .._shapes import Float


@dataclass(frozen=True, kw_only=True)
class StepCache:
    """How much change is tolerated, and in which part of the run. The defaults disable caching."""

    threshold: float = 0.0  # estimated relative change of the velocity since it was computed; 0 = no caching
    start: float = 0.15  # steps before this part of the run are computed: they decide the composition
    end: float = 0.95  # and those that reach past this part: no later step could correct an error
    max_skips: int = 3  # consecutive steps

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
class PromptHistory:
    """The last computed velocity of one prompt, and how much the velocity is estimated to have changed since."""

    velocity: Float[Tensor, "b c _ _"]
    x: Float[Tensor, "b c _ _"]  # the latent it was computed at
    rate: Float[Tensor, " b"] | None  # k: change of velocity per change of latent; needs two computed velocities
    change: Float[Tensor, " b"]  # estimated relative change since it was computed
    is_used: bool = True  # in the current step


@dataclass(kw_only=True)
class StepCacheState:
    """Cached velocities and counts of one sampling run."""

    cache: StepCache
    sigmas: Sequence[float]
    nfe: int = 0  # network calls, one per prompt
    n_reused: int = 0  # calls replaced by a cached velocity
    histories: dict[Hashable, PromptHistory] = field(default_factory=dict[Hashable, PromptHistory])
    calls: Counter[Hashable] = field(default_factory=Counter[Hashable])  # of each prompt in this step
    x: Tensor | None = None  # latent of this step
    n_skipped: int = 0  # consecutive skipped steps, this one included
    is_skipping: bool = False  # whether this step reuses the cached velocities

    def begin_step(self, x: Float[Tensor, "b c _ _"], sigma: float) -> None:
        """Decide, once for all prompts, whether this step is skipped. Synchronizes with the device once."""
        if not self.cache.is_on:
            return
        previous, self.x = self.x, x.clone()
        self.calls.clear()
        # a prompt without a call in the last step has no up-to-date estimate: it starts over when it is called again
        self.histories = {key: history for key, history in self.histories.items() if history.is_used}
        if previous is None or previous.shape != x.shape:
            self.histories.clear()
        for history in self.histories.values():
            history.is_used = False
            if history.rate is not None and previous is not None:
                change = history.rate * mean_abs(x - previous) / mean_abs(history.velocity)
                history.change = history.change + change
        self.is_skipping = self._may_skip(sigma) and self._is_below_threshold()
        self.n_skipped = self.n_skipped + 1 if self.is_skipping else 0

    def evaluate(self, prompts: Sequence[Hashable], compute: Callable[[], Tensor]) -> Float[Tensor, "pb c _ _"]:
        """Velocities of a batch of prompts, cached or computed; `prompts` are any ids that stay the same during a run.

        A prompt evaluated twice in one step, as perturbed guidance does, has a history for each of the two calls.
        """
        if not self.cache.is_on:
            self.nfe += len(prompts)
            return compute()
        keys = [self._call_key(prompt) for prompt in prompts]
        cached = [self.histories[key] for key in keys if key in self.histories]
        if self.is_skipping and len(cached) == len(keys):
            for history in cached:
                history.is_used = True
            self.n_reused += len(keys)
            return torch.cat([history.velocity for history in cached])
        velocities = compute()
        for key, velocity in zip(keys, velocities.chunk(len(keys)), strict=True):
            self.histories[key] = self._updated(self.histories.get(key), velocity)
        self.nfe += len(keys)
        return velocities

    def clear(self) -> None:
        """Drop all tensors."""
        self.histories.clear()
        self.x = None

    def _may_skip(self, sigma: float) -> bool:
        """Whether the limits allow it; a latent between two noise levels belongs to the step that starts above it."""
        index = max(0, sum(level >= sigma for level in self.sigmas) - 1)
        return self.n_skipped < self.cache.max_skips and self.cache.covers(index, len(self.sigmas) - 1)

    def _is_below_threshold(self) -> bool:
        """Whether the estimated change of every image under every prompt is below the threshold."""
        histories = self.histories.values()
        if not histories or any(history.rate is None for history in histories):
            return False
        return bool((torch.stack([history.change for history in histories]) < self.cache.threshold).all())

    def _call_key(self, prompt: Hashable) -> Hashable:
        self.calls[prompt] += 1
        return prompt, self.calls[prompt]

    def _updated(self, history: PromptHistory | None, velocity: Tensor) -> PromptHistory:
        assert self.x is not None, "begin_step comes before evaluate"
        rate = None
        if history is not None and history.velocity.shape == velocity.shape:
            rate = mean_abs(velocity - history.velocity) / mean_abs(self.x - history.x)
        velocity = velocity.clone()  # the caller may write into its own
        return PromptHistory(velocity=velocity, x=self.x, rate=rate, change=torch.zeros_like(mean_abs(velocity)))


def mean_abs(x: Float[Tensor, "b c _ _"]) -> Float[Tensor, " b"]:
    """Mean absolute value of each item, in float32."""
    return x.float().abs().flatten(1).mean(dim=1)
