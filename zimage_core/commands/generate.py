"""`zimage generate`: a picture of a prompt."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import integer, lora, number, size, text
from .files import check_out, open_picture, save_picture
from .machine import DTYPES, SCHEMES, device_of, dtype_of, scheme_of
from .progress import progress_bar

if TYPE_CHECKING:
    from PIL import Image

    from ..runtime.offload.plan import Plan
    from ..sampling import Step

MAX_STEPS, MAX_SEED, MAX_GIGABYTES = 1000, 2**64 - 1, 1e6


def add_generate(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "generate", allow_abbrev=False, help="a picture of a prompt", description="Makes a picture of a prompt."
    )
    parser.set_defaults(run=run_generate)
    parser.add_argument("prompt", type=text)
    parser.add_argument("--model", required=True, help="nano, or a folder laid out as diffusers lays out its own")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="the only file that is written")
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N")
    parser.add_argument("--steps", type=integer(1, MAX_STEPS), metavar="N", help="default: the model's own")
    parser.add_argument("--size", type=size, metavar="WxH", help="in pixels, multiples of 16")
    parser.add_argument("--negative", type=text, default="", metavar="TEXT", help="what the picture should not show")
    parser.add_argument(
        "--reference", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="pictures to look at"
    )
    parser.add_argument(
        "--lora", type=lora, nargs="+", action="extend", default=[], metavar="FILE[:STRENGTH]", help="strength: 1"
    )
    parser.add_argument(
        "--memory-limit", type=number(0, MAX_GIGABYTES), metavar="GB", help="of the device's memory; on a CPU, of RAM"
    )
    parser.add_argument(
        "--allow", choices=SCHEMES, help="8-bit weights, not exact, if the limit is too small for exact ones"
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, xpu or mps; default: a GPU if there is one")
    parser.add_argument("--dtype", choices=DTYPES, help="default: float32 on a CPU, else bfloat16")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_generate(options: argparse.Namespace) -> None:
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


def make_picture(options: argparse.Namespace) -> "tuple[Image.Image, Step, Plan | None]":
    """The picture, the last sampling step and the memory plan, if there is a limit; a plan is printed at once."""
    references = [open_picture(file) for file in options.reference]
    from ..pipeline import generate  # brings PyTorch

    device = device_of(options.device)
    plans: list[Plan] = []
    steps: list[Step] = []

    def on_plan(plan: "Plan") -> None:
        plans.append(plan)
        if not options.json:
            print(plan, flush=True)

    with progress_bar() as advance:

        def on_step(step: "Step") -> None:
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
