"""Training by flow matching on encoded pictures: of adapters through a frozen transformer, or of all its weights.

Everything a step draws comes from its generator in the order of its examples, so that neither the grouping into
micro-batches nor the budget of tokens changes what is learned.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ..model import S3DiT
from ..model.condition import RunBlock, run_block
from ..recipes import Source, TrainingConfig
from .distributed import ONE_PROCESS, Processes
from .encoded_example import EncodedExample
from .encoded_files import EncodedSet
from .loop.curve import Curve
from .loop.ema import Ema
from .loop.micro_batches import Noised, micro_batches
from .loop.order import chosen_examples
from .loop.runner import Progress, Recipe, train
from .mixture import Mixture, Part
from .objectives.compiled_blocks import compiled_block
from .objectives.noise_levels import NoiseLevels
from .objectives.noised import losses_of, recomputed
from .trainables import Trainable
from .training_adapter import TrainingAdapter
from .validation import held_out, validation_loss
from .watch import UNWATCHED, Validations, Watch

PATCHES = 4  # latent cells of an image token
N_VALIDATIONS = 20  # in a run
ROUNDING_ONLY = ("saves_memory", "token_budget", "compiles")  # what is learned depends on them by rounding alone


@dataclass(frozen=True, kw_only=True)
class FlowMatching:
    """What a step of flow matching on examples is made of."""

    batch: int = TrainingConfig.batch  # examples a step
    token_budget: int = TrainingConfig.token_budget  # of examples that run at once: one of 1024x1024 with its caption
    caption_dropout: float = TrainingConfig.caption_dropout  # share of examples, for guidance
    levels: NoiseLevels = field(default_factory=NoiseLevels)
    saves_memory: bool = True  # blocks keep their inputs alone and compute again when gradients pass
    compiles: bool = False  # blocks are compiled

    @property
    def run(self) -> RunBlock:
        """How blocks run that are all on the device."""
        run = compiled_block if self.compiles else run_block
        return recomputed(run) if self.saves_memory else run


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Encoded examples, and the features of the empty caption."""

    examples: Sequence[EncodedExample] | Mixture
    no_caption: Tensor  # (n, f)
    regularization: Sequence[EncodedExample] = ()  # what must not change: each step has as many of these as examples

    @property
    def mixture(self) -> Mixture:
        """The examples, by their sets."""
        return self.examples if isinstance(self.examples, Mixture) else Mixture((Part(self.examples),))


def divided(
    encoded: EncodedSet, sizes: Sequence[int], sources: Sequence[Source], no_caption: Tensor
) -> tuple[TrainingSet, EncodedSet]:
    """What is trained on, and what is validated with.

    The first examples come from the sources, `sizes` from each; a tenth of each validates. The others are
    regularization.
    """
    ends = list(accumulate(sizes, initial=0))
    files = [held_out(encoded.files[first:end]) for first, end in pairwise(ends)]
    parts = tuple(
        Part(EncodedSet(encoded.folder, trained).repeated(), source.weight, source.shift)
        for (trained, _), source in zip(files, sources, strict=True)
    )
    validated = EncodedSet(encoded.folder, [each for _, some in files for each in some])
    kept = encoded[ends[-1] :].repeated()
    return TrainingSet(examples=Mixture(parts), regularization=kept, no_caption=no_caption), validated


def train_examples(
    dit: S3DiT,
    trainable: Trainable,
    dataset: TrainingSet,
    step_of: FlowMatching,
    recipe: Recipe,
    folder: Path,
    *,
    validated: Sequence[EncodedExample] = (),
    processes: Processes = ONE_PROCESS,
    identity: Mapping[str, Any] = MappingProxyType({}),
    watch: Watch = UNWATCHED,
    adapter: TrainingAdapter | None = None,
    run: RunBlock | None = None,
) -> Generator[Progress]:
    """Train what `trainable` has of `dit`; resume from and save to `folder`, which keeps the curve too.

    The loss on `validated` is measured now and then. `identity` is what else makes a run another one. An `adapter` is
    in the network while it trains, and out of it for previews. `run` is how blocks run where they are not all on the
    device. After the last step the parameters are their averages (EMA).
    """
    ema = Ema(trainable, recipe.ema_decay)
    losses = partial(flow_matching_step, dit, dataset, step_of, recipe.seed, processes=processes, run=run)
    every = max(1, recipe.steps // N_VALIDATIONS)
    curve, measured = None, Validations(folder, watch.patience)
    with trainable.attached(), adapter.attached() if adapter else nullcontext():
        for progress in train(
            trainable,
            losses,
            recipe,
            ema,
            folder,
            identity={**asdict(step_of), **identity},
            may_differ=ROUNDING_ONLY,
            keep=watch.keep,
            processes=processes,
            is_enough=measured.have_stalled,
        ):
            if validated and ((progress.step + 1) % every == 0 or progress.step == 0):
                loss = validation_loss(dit, validated, step_of.token_budget, processes, run)
                progress = replace(progress, validation=loss)
                measured.add(loss)
            if watch.previews and watch.previews.is_due(progress.step + 1, recipe.steps):
                with ema.applied(), adapter.aside() if adapter else nullcontext():
                    watch.previews.save(dit, progress.step + 1, folder if processes.is_first else None, run)
            if processes.is_first:
                curve = curve or Curve(folder, progress.step)
                curve.add(progress)
            yield progress
    ema.assign()


def flow_matching_step(
    dit: S3DiT,
    dataset: TrainingSet,
    step_of: FlowMatching,
    seed: int,
    step: int,
    generator: torch.Generator,
    *,
    processes: Processes = ONE_PROCESS,
    run: RunBlock | None = None,
) -> Iterator[Tensor]:
    """The step's loss in parts: their sum, or its mean over the processes, is the mean over its examples."""
    drawn = [
        draw_noised(dataset, example, step_of, levels, generator)
        for example, levels in examples_of(dataset, step_of, seed, step, generator)
    ]
    groups = list(micro_batches(drawn, step_of.token_budget, processes.count))
    for group, factor in processes.share(groups):
        losses, sigma = losses_of(dit, group, run=run or step_of.run)
        yield (losses * step_of.levels.weight(sigma)).sum() * factor / len(drawn)


def examples_of(
    dataset: TrainingSet, step_of: FlowMatching, seed: int, step: int, generator: torch.Generator
) -> list[tuple[EncodedExample, NoiseLevels]]:
    """A step's examples, each with the noise levels of its set: what is learned, then as many that must not change."""
    found: list[tuple[EncodedExample, NoiseLevels]] = []
    for part, indices in dataset.mixture.chosen(step, step_of.batch, seed):
        levels = step_of.levels if part.shift is None else replace(step_of.levels, shift=part.shift)
        found += [(example, levels) for example in part.taken(indices, generator)]
    if kept := dataset.regularization:
        found += [(kept[index], step_of.levels) for index in chosen_examples(step, step_of.batch, len(kept), seed)]
    return found


def draw_noised(
    dataset: TrainingSet,
    example: EncodedExample,
    step_of: FlowMatching,
    levels: NoiseLevels,
    generator: torch.Generator,
) -> Noised:
    """An example with a latent, a caption, noise and a level of its own."""
    x0 = example.picture.draw(generator)
    noise = torch.randn(x0.shape, generator=generator)
    sigma = levels.draw(1, x0[0].numel() // PATCHES, generator)[0]
    caption = example.draw_caption(generator)
    is_dropped = torch.rand(1, generator=generator).item() < step_of.caption_dropout
    no_caption = example.seen.no_caption if example.seen else dataset.no_caption
    return Noised(x0, noise, sigma, no_caption if is_dropped else caption, example.seen, example.weight)
