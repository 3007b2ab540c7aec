"""What fits on which card when LoRAs of the released model are trained, from the memory plan alone.

    python -m bench.training_memory

Nothing is loaded: `zimage_core/training/memory` runs a step on tensors without memory. Of a card's memory CUDA takes
half a gigabyte for itself, and the plan leaves 0.4 GB free for libraries and fragments.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from zimage_core.config import BASE_DIT, MAX_CAPTION_TOKENS
from zimage_core.recipes import DistillationConfig, LoraConfig, PreferenceConfig, TrainingConfig
from zimage_core.runtime.offload.plan import size_text
from zimage_core.runtime.offload.plan_inputs import Machine
from zimage_core.sampling import BASE
from zimage_core.training.distillation.distilled import distillation_of
from zimage_core.training.memory.batch import batch_of
from zimage_core.training.memory.plan import Planned, TrainingPlan, training_plan
from zimage_core.training.memory.remedies import remedies
from zimage_core.training.memory.roles_plan import RolesPlan, policy_plan, student_plan
from zimage_core.training.preference.preferred import pair_tuning_of, reward_tuning_of

GB = 10**9
CARDS, SIDES = (8, 12, 16, 24, 80), (512, 768, 1024)  # GB, pixels
CONTEXT = GB // 2  # what CUDA takes before it says what is free
CONFIG = LoraConfig(model="base", data=Path("data"), out=Path("out.safetensors"))
CELL = 8  # pixels of a latent cell
PROMPTS = Path("prompts.txt")


def plan_at(side: int, config: TrainingConfig = CONFIG) -> TrainingPlan:
    """One picture of side² pixels with the longest caption; a frozen base in bfloat16."""
    dtype = torch.bfloat16 if isinstance(config, LoraConfig) else torch.float32
    batch = batch_of(BASE_DIT, (side // CELL, side // CELL), MAX_CAPTION_TOKENS)
    return training_plan(Planned(network=BASE_DIT, dtype=dtype, config=config, batch=batch))


def parts() -> Iterator[tuple[str, ...]]:
    """Bytes by what they are."""
    for side in SIDES:
        plan, kept = plan_at(side), plan_at(side, replace(CONFIG, keep_activations=True))
        sizes = map(size_text, (plan.weights, plan.learned, plan.activations, kept.activations, plan.peak))
        yield f"{side}²", str(plan.planned.batch.tokens), *sizes


def cards() -> Iterator[tuple[str, ...]]:
    """What fits, by which setting."""
    plans = [plan_at(side) for side in SIDES]
    for card in CARDS:
        machine = Machine(kind="cuda", free_device=card * GB - CONTEXT, free_ram=64 * GB, capability=(8, 9))
        yield f"{card} GB", *(_means(plan, machine) for plan in plans)


def _means(plan: TrainingPlan, machine: Machine) -> str:
    if plan.peak <= machine.budget:
        return f"as it is: {size_text(plan.peak)}"
    found = [f"`{each.words}`: {size_text(each.plan.peak)}" for each in remedies(plan, machine)]
    return "; or ".join(found) or "no"


def roles() -> Iterator[tuple[str, ...]]:
    """Peaks where LoRAs learn as roles of one base, by what is learned, with the options' defaults."""
    student = DistillationConfig(model="base", prompts=PROMPTS, out=CONFIG.out)
    rewarded = PreferenceConfig(model="base", method="grpo", prompts=PROMPTS, reward=("aesthetic",), out=CONFIG.out)
    pairs = PreferenceConfig(model="base", method="dpo", pairs=PROMPTS, out=CONFIG.out)
    of_student, of_policy = (partial(each, BASE_DIT, torch.bfloat16) for each in (student_plan, policy_plan))

    def row(name: str, plan_at: Callable[[tuple[int, int]], RolesPlan]) -> tuple[str, ...]:
        return name, *(size_text(plan_at((side // CELL, side // CELL)).peak) for side in SIDES)

    yield row(
        "student and fake score",
        lambda cells: of_student(student, distillation_of(student, cells), MAX_CAPTION_TOKENS),
    )
    yield row(
        "policy, from rewards (GRPO with guidance)",
        lambda cells: of_policy(rewarded, reward_tuning_of(rewarded, cells, BASE), cells, MAX_CAPTION_TOKENS),
    )
    yield row(
        "policy, from pairs (DPO)",
        lambda cells: of_policy(pairs, pair_tuning_of(pairs), cells, MAX_CAPTION_TOKENS),
    )


def main() -> None:
    """Print the tables in Markdown."""
    columns = ("picture", "tokens", "base", "LoRA", "activations", "activations kept", "peak")
    sides = tuple(f"{side}²" for side in SIDES)
    for header, rows in ((columns, parts()), (("card", *sides), cards()), (("roles", *sides), roles())):
        tqdm.write(f"\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
        for row in rows:
            tqdm.write(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
