"""The memory plan of a training run: what its bytes are, from its config and the network's widths alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

import torch

from ...config import DiTConfig
from ...quant import SCHEMES, Scheme
from ...recipes import FullConfig, LoraConfig, TrainingConfig
from ...runtime.byte_counts import Precision, transformer_bytes
from ...runtime.offload.copy_streams import SLOTS
from ...runtime.offload.plan import size_text
from ...runtime.offload.plan_inputs import DTYPES
from ..flow_training import TrainingSet
from ..settings import flow_matching_of
from ..trained_file import trainable_of
from .batch import Batch, largest_batch
from .step_bytes import StepBytes, step_bytes

PRECISIONS: dict[torch.dtype, Precision] = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a plan is made from."""

    network: DiTConfig
    dtype: torch.dtype  # of a frozen base; all weights learn in float32
    config: TrainingConfig
    batch: Batch
    beside: int = 0  # bytes of other networks that stay on the device

    @property
    def base(self) -> LoraConfig | None:
        """The config where a base is frozen."""
        return self.config if isinstance(self.config, LoraConfig) else None

    @property
    def n_streamed(self) -> int:
        """Layers of the base that are on the device only while they run."""
        return self.base.stream if self.base else 0

    @property
    def scheme(self) -> Scheme | None:
        """The base's 8-bit layers."""
        return SCHEMES[self.base.quantize] if self.base and self.base.quantize else None


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Bytes on the device. Gradients, moments and average are there from the second step on."""

    planned: Planned
    weights: int  # of a frozen base, the slots of streamed layers included
    learned: int  # what learns, with its gradients, the optimizer's state and the average
    activations: int  # above these, at the peak
    layer: int  # of the weights, those of one layer that can stream
    step: StepBytes

    @property
    def peak(self) -> int:
        """All that is there at once."""
        return self.weights + self.learned + self.activations + self.planned.beside

    @property
    def total(self) -> str:
        """What it takes, in words."""
        return f"training takes {size_text(self.peak)}"

    @property
    def parts(self) -> list[str]:
        """Of what, in words."""
        config, base, n_streamed = self.planned.config, self.planned.base, self.planned.n_streamed
        what = f"{base.kind} of rank {base.rank}" if base else "all weights"
        again = "kept" if config.keep_activations and not n_streamed else "computed again in each block"
        parts = (
            f"base {size_text(self.weights)}" if base and not base.quantize else "",
            f"base in {base.quantize} {size_text(self.weights)}" if base and base.quantize else "",
            f"{n_streamed} layers stream from {size_text(n_streamed * self.layer)} of RAM" if n_streamed else "",
            f"{what} with gradients, optimizer and average {size_text(self.learned)}",
            f"activations of {self.planned.batch}, {again}, {size_text(self.activations)}",
            f"autoencoder {size_text(self.planned.beside)}" if self.planned.beside else "",
        )
        return [each for each in parts if each]

    def __str__(self) -> str:
        return f"{self.total}: {'; '.join(self.parts)}"


def training_plan(planned: Planned) -> TrainingPlan:
    """Of one process. The step is run on the meta device; nothing is loaded."""
    config = planned.config
    if isinstance(config, FullConfig):
        config = replace(config, from_scratch=False)  # values mean nothing here
    keeps = config.keep_activations and not planned.n_streamed
    step = step_bytes(
        planned.network,
        [planned.batch.group],
        partial(trainable_of, config=config),
        config.optimizer,
        dtype=planned.dtype,
        scheme=planned.scheme,
        saves_memory=not keeps,
    )
    return _of_step(planned, step)


def largest_plan(
    network: DiTConfig,
    stages: Iterable[tuple[TrainingConfig, TrainingSet]],
    dtype: torch.dtype,
    decoder: int = 0,
) -> TrainingPlan:
    """Of the stage that takes most; `dtype` is a frozen base's, `decoder` the bytes of what previews are drawn with."""
    plans = (
        training_plan(
            Planned(
                network=network,
                dtype=torch.float32 if isinstance(config, FullConfig) else dtype,
                config=config,
                batch=largest_batch(learned_from, flow_matching_of(config)),
                beside=decoder if config.previews else 0,
            )
        )
        for config, learned_from in stages
    )
    return max(plans, key=attrgetter("peak"))


def streamed_plan(plan: TrainingPlan, n_layers: int) -> TrainingPlan:
    """The same run with so many layers streamed, which compute their activations again."""
    base = plan.planned.base
    assert base
    planned = replace(plan.planned, config=replace(base, stream=n_layers))
    return training_plan(planned) if base.keep_activations else _of_step(planned, plan.step)


def _of_step(planned: Planned, step: StepBytes) -> TrainingPlan:
    gradients, n_streamed = step.learned, planned.n_streamed
    before = step.before + (gradients if planned.batch.has_others else 0)
    weights, layer = _base_weights(planned) if planned.base else (0, 0)
    return TrainingPlan(
        planned=planned,
        step=step,
        weights=weights - n_streamed * layer + (SLOTS * layer if n_streamed else 0),
        learned=2 * step.learned + step.moments + gradients,
        activations=max(0, max(before, step.after) - gradients),  # the optimizer's step has no activations beside it
        layer=layer,
    )


def _base_weights(planned: Planned) -> tuple[int, int]:
    """Bytes of the frozen base, and of the matrices of one layer, which is what streams."""
    rest = PRECISIONS[planned.dtype]
    quantized: Precision | None = planned.base.quantize if planned.base else None
    counted = transformer_bytes(planned.network, quantized or rest, rest)
    return counted.total, counted.layer
