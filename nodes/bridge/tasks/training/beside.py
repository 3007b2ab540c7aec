"""Pictures of what a LoRA learned beside those of its base, and the lines that tell what became of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .....zimage_core.adapters import Lora, parameter_shapes
from .....zimage_core.recipes.preference_config import FROM_PAIRS
from .....zimage_core.sampling import Preset
from .....zimage_core.training.distillation.decay import STUDENT, TEACHER, DecayAlarm
from .....zimage_core.training.distillation.distilled import distillation_of, student_preset
from .....zimage_core.training.distillation.previews import FEW_STEPS
from .....zimage_core.training.loop.curve import read_curve
from .....zimage_core.training.preference.policy_run import prompts_of
from .....zimage_core.training.preference.preferred import drawing_preset
from ...patches.loras import apply
from ..comparing.columns import sheets
from ..evaluating.painter import Painter, SuiteBar
from ..evaluating.suite_run import image_of
from .base import preset_of
from .distill import Asked
from .networks import SIDE, Base, cells_of
from .prefer import AskedTaste
from .run import folder_of

CHANNELS = 16  # of a latent
CHANGED = ("before", "after")


@dataclass(frozen=True, kw_only=True)
class Column:
    """Pictures of all prompts by one model."""

    title: str
    model: Any
    preset: Preset


def student_sheets(asked: Asked, lora: Lora, words: Mapping[str, str]) -> tuple[Tensor, Tensor]:
    """A sheet, and a small one for the node: the teacher's pictures, and the student's in 1, 2, 4 and 8 steps."""
    config, base = asked.config, asked.base
    teacher = replace(preset_of(base.file), cfg=config.cfg)
    title = f"{words.get(TEACHER, TEACHER)}: {teacher.steps}"
    student = with_lora(base.networks.model, lora)
    columns = [
        Column(title=title, model=base.networks.model, preset=teacher),
        *(Column(title=str(each), model=student, preset=student_preset(config, each)) for each in FEW_STEPS),
    ]
    return drawn(base, config.previews, config.side or SIDE, config.seed, columns)


def with_lora(model: Any, lora: Lora) -> Any:
    """The MODEL with what was learned."""
    return apply(model, [(lora.fitted(parameter_shapes(model.model.diffusion_model)), 1.0)])


def drawn(base: Base, prompts: Sequence[str], side: int, seed: int, columns: Sequence[Column]) -> tuple[Tensor, Tensor]:
    """A sheet of prompts by columns, and a small one, drawn as the sampler draws, each prompt with a seed of its own.

    Raises what ends an interrupted prompt.
    """
    bar = SuiteBar(len(columns) * len(prompts))
    height, width = cells_of(side)
    pictures: list[Tensor] = []
    for column in columns:
        preset = column.preset
        draw = Painter(
            model=column.model,
            clip=base.networks.clip,
            vae=base.networks.vae,
            latent={"samples": torch.zeros(1, CHANNELS, height, width)},
            steps=preset.steps,
            cfg=preset.cfg,
            solver=preset.solver,
            shift=preset.shift,
            bar=bar,
        )
        made: list[Tensor] = []
        for number, prompt in enumerate(prompts):
            made.append(image_of(draw(prompt, seed + number)))
            bar.finish(1)
        pictures.append(torch.cat(made))
    return sheets(pictures, [each.title for each in columns], prompts)


def taste_sheets(asked: AskedTaste, lora: Lora, words: Mapping[str, str]) -> tuple[Tensor, Tensor]:
    """A sheet, and a small one for the node: the model's own pictures, and those with what was learned."""
    config, base = asked.config, asked.base
    preset, before, after = drawing_preset(config, preset_of(base.file)), *(words.get(each, each) for each in CHANGED)
    columns = [
        Column(title=before, model=base.networks.model, preset=preset),
        Column(title=after, model=with_lora(base.networks.model, lora), preset=preset),
    ]
    return drawn(base, config.previews, config.side or SIDE, config.seed, columns)


def student_report(asked: Asked) -> str:
    """What was learned, how near to the teacher its pictures are, and where it lies."""
    config = asked.config
    steps = "1 step" if config.nfe == 1 else f"{config.nfe} steps"
    first = f"{config.out.name}: a student of {prompts_told(asked.prompts)}, for {steps} at CFG 1"
    turn = distillation_of(config, cells_of(config.side or SIDE)).turn
    return "\n".join([first, *checked(DecayAlarm(asked.folder, config.patience), turn), saved(config.out)])


def taste_report(asked: AskedTaste) -> str:
    """What was learned, what became of the pictures, and where it lies."""
    config, rows = asked.config, read_curve(asked.folder)
    pairs = "1 pair" if len(asked.data) == 1 else f"{len(asked.data)} pairs"
    first = (
        f"{config.out.name}: learned from {pairs}"
        if config.method == FROM_PAIRS
        else f"{config.out.name}: learned from a score of {prompts_told(prompts_of(asked.data))}"
    )
    last = [share for row in rows[-max(1, len(rows) // 10) :] if (share := row.get("preferred")) is not None]
    leans = [f"Leans to the chosen picture in {sum(last) / len(last):.0%} of pairs"] if last else []
    alarm = DecayAlarm(asked.folder, config.patience, asked.reward.names if asked.reward else ())
    return "\n".join([first, *leans, *checked(alarm), saved(config.out)])


def prompts_told(prompts: Sequence[str]) -> str:
    """How many there are."""
    return "1 prompt" if len(prompts) == 1 else f"{len(prompts)} prompts"


def saved(out: Path) -> str:
    """Where the LoRA lies."""
    return f"Saved in output/{folder_of(out)}: press R, and Z-Image Load LoRA lists it"


def checked(alarm: DecayAlarm, turn: int = 1) -> Iterator[str]:
    """Each number of the check whose LoRA was saved, beside the model's own, and why the run ended early if it did.

    A `turn` is how many steps of the run are one of those that an artist chose.
    """
    checks = [row for row in alarm.rows if row["who"] == STUDENT]
    if not checks:
        return
    own = next(row for row in alarm.rows if row["who"] == TEACHER)
    decay = alarm.decay
    kept = checks[alarm.best] if decay else checks[-1]
    for name in (name for name in own if name in kept and name not in ("who", "step")):
        yield f"{name}: {kept[name]:.3g} with the LoRA, {own[name]:.3g} by the model itself"
    if decay:
        yield f"Got worse beside the model's own: {', '.join(decay.names)}"
        ended, best = decay.step // turn, decay.best // turn
        yield f"So it ended at step {ended}, and the best average was saved, that of step {best}"
