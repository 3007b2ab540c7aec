"""What `zimage generate` does with its parsed options: it makes a picture, saves it and prints the result."""

import argparse
import json
import sys
import time

from PIL import Image

from ..pipeline import generate
from ..request import has_vision, model_folder
from ..runtime.offload.plan import Plan
from ..sampling import Step
from .files import check_out, open_picture, save_picture
from .machine import device_of, dtype_of, scheme_of
from .progress import progress_bar

LATENTS_ALONE = (
    "{} has no vision branch: of the references it is given the latents alone, which only what was trained on pairs "
    "can use; name an edit LoRA with --lora"
)


def write_picture(options: argparse.Namespace) -> None:
    """Make a picture, save it and print what it took."""
    if options.allow and options.memory_limit is None:
        raise ValueError("--allow is for --memory-limit: without a limit the exact weights are used")
    check_out(options.out)
    start = time.perf_counter()
    picture, last_step, plan = make_picture(options)
    save_picture(picture, options.out)
    result = {
        "file": str(options.out),
        "seed": options.seed,
        "steps": last_step.total,
        "nfe": last_step.nfe,
        "seconds": round(time.perf_counter() - start, 3),
        "plan": plan and str(plan),
    }
    line = "{file}: seed {seed}, {steps} steps, {nfe} network calls, {seconds:.1f} s".format(**result)
    print(json.dumps(result) if options.json else line)


def make_picture(options: argparse.Namespace) -> tuple[Image.Image, Step, Plan | None]:
    """The picture, the last sampling step and the memory plan, if there is a limit; a plan is printed at once."""
    references = [open_picture(file) for file in options.reference]
    if references and not options.lora and not has_vision(model_folder(options.model)):
        print(LATENTS_ALONE.format(options.model), file=sys.stderr)
    device = device_of(options.device)
    plans: list[Plan] = []
    steps: list[Step] = []

    def on_plan(plan: Plan) -> None:
        plans.append(plan)
        if not options.json:
            print(plan, flush=True)

    with progress_bar() as advance:

        def on_step(step: Step) -> None:
            steps[:] = [step]
            advance(step)

        [picture] = generate(
            options.prompt,
            model=options.model,
            references=references,
            negative_prompt=options.negative,
            size=options.size,
            steps=options.steps,
            seed=options.seed,
            device=str(device),
            dtype=dtype_of(options.dtype, device),
            scheme=scheme_of(options.allow),
            loras=options.lora,
            memory_limit=None if options.memory_limit is None else int(options.memory_limit * 1e9),
            on_plan=on_plan,
            on_step=on_step,
        )
    return picture, steps[0], plans[0] if plans else None
