"""A student that decays: what its pictures look like beside its teacher's, now and then, and when that is enough.

Published reproductions of Decoupled DMD get better and then worse, after some 700 updates of the student. So on fixed
prompts and seeds saturation, contrast and high-frequency energy are compared with the teacher's, and scores are read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...atomic_file import write_text
from ...json_lines import append_lines, read_lines, to_lines
from ...model import S3DiT
from ...model.condition import RunBlock, run_block
from ...sampling import Preset
from ...scoring.score import Request, Score
from ...scoring.statistics import STATISTICS
from ..distributed import ONE_PROCESS, Processes
from ..loop.state import saved_step
from ..previews import Previews
from ..rewards.reward import request_of

FILE = "checks.jsonl"
# the sharpness, a variance of the Laplacian, is the energy of what changes from pixel to pixel
WATCHED = {"saturation": "saturation", "contrast": "contrast", "sharpness": "high-frequency energy"}
MARGIN = 0.05  # of the teacher's number: differences below it are chance
N_WORSE = 2  # numbers that have to worsen together
TEACHER, STUDENT = "teacher", "student"


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Pictures of fixed prompts and seeds, and what is measured in them."""

    drawn: Previews  # prompts and how the teacher draws them
    prompts: Sequence[str]  # the same, for scores
    student: Preset
    scores: Sequence[Score] = ()
    every: int  # steps
    seeds: int = 1  # pictures of each prompt; a score of how they differ needs 2 or more

    def is_due(self, done: int, steps: int) -> bool:
        """Whether to look after so many steps of all."""
        return done % self.every == 0 or done == steps

    def of_teacher(self, dit: S3DiT, run: RunBlock = run_block, processes: Processes = ONE_PROCESS) -> dict[str, float]:
        """Numbers of the network as it is, drawn as the teacher is; of several processes by the first, for all."""
        return self._told(dit, self.drawn, run, processes)

    def of_student(self, dit: S3DiT, run: RunBlock = run_block, processes: Processes = ONE_PROCESS) -> dict[str, float]:
        """Numbers of the network as it is, drawn in few steps."""
        return self._told(dit, replace(self.drawn, preset=self.student), run, processes)

    def _told(self, dit: S3DiT, drawn: Previews, run: RunBlock, processes: Processes) -> dict[str, float]:
        if processes.count == 1:
            return self._measured(dit, drawn, run)
        names = [*WATCHED.values(), *(score.name for score in self.scores)]

        def numbers() -> Tensor:
            measured = self._measured(dit, drawn, run)
            return torch.tensor([measured.get(name, math.nan) for name in names], dtype=torch.float64)

        found = processes.of_first(numbers, torch.zeros(len(names), dtype=torch.float64)).tolist()
        return {name: number for name, number in zip(names, found, strict=True) if not math.isnan(number)}

    def _measured(self, dit: S3DiT, drawn: Previews, run: RunBlock) -> dict[str, float]:
        captions = drawn.prompts.captions
        pictures = [
            replace(drawn, seed=drawn.seed + index + len(captions) * turn).drawn(dit, caption, run)
            for index, caption in enumerate(captions)
            for turn in range(self.seeds)
        ]
        requests = [request for prompt in self.prompts for request in [request_of(prompt)] * self.seeds]
        readers: dict[str, Score] = {told: STATISTICS[name] for name, told in WATCHED.items()}
        readers |= {score.name: score for score in self.scores}
        numbers = {name: mean_of(reader, pictures, requests) for name, reader in readers.items()}
        return {name: number for name, number in numbers.items() if number is not None}


def mean_of(score: Score, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> float | None:
    """Over the pictures that have a number."""
    measured = score(pictures, requests)
    values = [each.value for each in measured if each.value is not None]
    return math.fsum(values) / len(values) if values else None


@dataclass(frozen=True, kw_only=True)
class Decay:
    """Why checks ended a run."""

    names: tuple[str, ...]  # of the numbers that stayed worse
    step: int  # of the check at which that was enough
    best: int  # step of the check whose average is kept


class DecayAlarm:
    """The checks of a run, those before its saved state among them."""

    def __init__(
        self, folder: Path, patience: int, learned: Sequence[str] = (), processes: Processes = ONE_PROCESS
    ) -> None:
        """`learned` are scores that rise because they are rewarded: what they gain makes a check better.

        Of several processes the first writes.
        """
        self.writes = processes.is_first
        self.file, self.patience, self.learned = folder / FILE, patience, learned
        done = saved_step(folder)
        rows = [row for _, row in read_lines(self.file)] if self.file.exists() else []
        self.rows: list[dict[str, Any]] = [row for row in rows if row["step"] <= done]
        if self.writes and len(self.rows) < len(rows):  # a killed run was ahead of its saved state
            write_text(self.file, to_lines(self.rows))

    @property
    def has_teacher(self) -> bool:
        """Whether it is known what to compare with."""
        return any(row["who"] == TEACHER for row in self.rows)

    def has_looked(self, step: int) -> bool:
        """Whether there is a check after so many steps."""
        return any(row["who"] == STUDENT and row["step"] == step for row in self.rows)

    def add(self, who: str, step: int, numbers: dict[str, float]) -> None:
        """The newest check."""
        row = {"who": who, "step": step, **numbers}
        self.rows.append(row)
        if not self.writes:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        append_lines(self.file, [row])

    @property
    def distances(self) -> list[dict[str, float]]:
        """How far each number of the student was from the teacher's at each check, in parts of the teacher's.

        A score that is better than the teacher's is at no distance.
        """
        return [
            {name: abs(each) if name in WATCHED.values() else max(0.0, -each) for name, each in check.items()}
            for check in self._changes
        ]

    @property
    def _changes(self) -> list[dict[str, float]]:
        """How much more of each number the student had than the teacher at each check, in parts of the teacher's."""
        teacher = next((row for row in self.rows if row["who"] == TEACHER), {})
        names = [name for name in teacher if name not in ("who", "step")]
        return [
            {name: (row[name] - teacher[name]) / max(abs(teacher[name]), 1e-6) for name in names if name in row}
            for row in self.rows
            if row["who"] == STUDENT
        ]

    @property
    def best(self) -> int:
        """The check nearest to the teacher, all numbers counted alike, less what it gained of what is rewarded.

        Of several, the last.
        """
        gains = [sum(max(0.0, each.get(name, 0.0)) for name in self.learned) for each in self._changes]
        totals = [sum(each.values()) - gain for each, gain in zip(self.distances, gains, strict=True)]
        return max(range(len(totals)), key=lambda check: (-totals[check], check))

    @property
    def is_best(self) -> bool:
        """Whether no check before the newest was better."""
        return self.best == len(self.distances) - 1

    def worse(self, check: int) -> set[str]:
        """Numbers that were farther from the teacher at a check than at the best one before it."""
        distances = self.distances
        now, before = distances[check], distances[:check]
        return {
            name
            for name, distance in now.items()
            if distance > min(each.get(name, math.inf) for each in before) + MARGIN
        }

    def has_gone_off(self) -> bool:
        """Whether the same two numbers have been worse at each of the last checks."""
        return self.decay is not None

    @property
    def decay(self) -> Decay | None:
        """What got worse, and when; None where nothing did for long."""
        n_checks = len(self.distances)
        if not self.patience or n_checks <= self.patience:
            return None
        last = [self.worse(check) for check in range(n_checks - self.patience, n_checks)]
        names = tuple(name for name in self.distances[-1] if all(name in worse for worse in last))
        if len(names) < N_WORSE:
            return None
        steps = [row["step"] for row in self.rows if row["who"] == STUDENT]
        return Decay(names=names, step=steps[-1], best=steps[self.best])
