"""What fits on which card when a LoRA of the released model is trained, from the memory plan alone.

    python -m bench.training_memory

Nothing is loaded: `zimage_core/training/memory` runs a step on tensors without memory. Of a card's memory CUDA takes
half a gigabyte for itself, and the plan leaves 0.4 GB free for libraries and fragments.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from zimage_core.config import BASE_DIT, MAX_CAPTION_TOKENS
from zimage_core.recipes import LoraConfig, TrainingConfig
from zimage_core.runtime.offload.plan import size_text
from zimage_core.runtime.offload.plan_inputs import Machine
from zimage_core.training.memory.batch import batch_of
from zimage_core.training.memory.plan import Planned, TrainingPlan, training_plan
from zimage_core.training.memory.remedies import remedies

GB = 10**9
CARDS, SIDES = (8, 12, 16, 24, 80), (512, 768, 1024)  # GB, pixels
CONTEXT = GB // 2  # what CUDA takes before it says what is free
CONFIG = LoraConfig(model="base", data=Path("data"), out=Path("out.safetensors"))
CELL = 8  # pixels of a latent cell


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


def main() -> None:
    """Print both tables in Markdown."""
    columns = ("picture", "tokens", "base", "LoRA", "activations", "activations kept", "peak")
    for header, rows in ((columns, parts()), (("card", *(f"{side}²" for side in SIDES)), cards())):
        tqdm.write(f"\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
        for row in rows:
            tqdm.write(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
