"""What Z-Image Distill tells of a student: its pictures beside its teacher's, and a report."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .....zimage_core.adapters import Lora, parameter_shapes
from .....zimage_core.sampling import Preset
from .....zimage_core.training.decay import STUDENT, TEACHER, WATCHED, DecayAlarm
from .....zimage_core.training.distilled import student_preset
from .....zimage_core.training.few_step_previews import FEW_STEPS
from .....zimage_core.training.previews import CELL
from ...patches.loras import apply
from ..comparing.columns import sheets
from ..evaluating.painter import Painter, SuiteBar
from ..evaluating.suite_run import image_of
from .base import preset_of
from .distill import SIDE, Asked

CHANNELS = 16  # of a latent


def drawn(asked: Asked, lora: Lora, words: Mapping[str, str]) -> tuple[Tensor, Tensor]:
    """A sheet, and a small one for the node: the teacher's pictures, and the student's in 1, 2, 4 and 8 steps.

    They are drawn as the sampler draws them. Raises what ends an interrupted prompt.
    """
    prompts = asked.config.previews
    model = asked.networks.model
    student = apply(model, [(lora.fitted(parameter_shapes(model.model.diffusion_model)), 1.0)])
    teacher = replace(preset_of(asked.file), cfg=asked.config.cfg)
    columns = [(model, teacher), *((student, student_preset(asked.config, steps)) for steps in FEW_STEPS)]
    bar = SuiteBar(len(columns) * len(prompts))
    pictures = [_column(asked, each, preset, bar) for each, preset in columns]
    titles = [f"{words.get(TEACHER, TEACHER)}: {teacher.steps}", *map(str, FEW_STEPS)]
    return sheets(pictures, titles, prompts)


def _column(asked: Asked, model: Any, preset: Preset, bar: SuiteBar) -> Tensor:
    cells = (asked.config.side or SIDE) // CELL
    draw = Painter(
        model=model,
        clip=asked.networks.clip,
        vae=asked.networks.vae,
        latent={"samples": torch.zeros(1, CHANNELS, cells, cells)},
        steps=preset.steps,
        cfg=preset.cfg,
        solver=preset.solver,
        shift=preset.shift,
        bar=bar,
    )
    pictures: list[Tensor] = []
    for index, prompt in enumerate(asked.config.previews):
        pictures.append(image_of(draw(prompt, asked.config.seed + index)))
        bar.finish(1)
    return torch.cat(pictures)


def report(asked: Asked) -> str:
    """What was learned, how near to the teacher its pictures are, and where it lies."""
    return "\n".join(_lines(asked, DecayAlarm(asked.folder, asked.config.patience)))


def _lines(asked: Asked, alarm: DecayAlarm) -> Iterator[str]:
    config = asked.config
    yield f"{config.out.name}: a student of {len(asked.prompts)} prompts, for {config.nfe} steps at CFG 1"
    checks = [row for row in alarm.rows if row["who"] == STUDENT]
    if checks:
        teacher = next(row for row in alarm.rows if row["who"] == TEACHER)
        best = _nearest(alarm, checks) if alarm.has_gone_off() else checks[-1]
        for name in WATCHED.values():
            yield f"{name}: student {best[name]:.3g}, teacher {teacher[name]:.3g}"
    if alarm.has_gone_off():
        yield "Its pictures got worse beside the teacher's, so it ended early, and the best student was saved"
    yield f"Saved in output/{config.out.parent.name}: press R, and Z-Image Load LoRA lists it"


def _nearest(alarm: DecayAlarm, checks: list[dict[str, Any]]) -> dict[str, Any]:
    """The last of the checks that were nearest to the teacher, whose student is kept."""
    totals = [sum(each.values()) for each in alarm.distances]
    return checks[max(range(len(totals)), key=lambda index: (-totals[index], index))]
