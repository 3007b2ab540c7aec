"""`python -m bench.stock_lora`: the zorps in ComfyUI's own Train LoRA node, judged as `judge_lora` judges ours.

The node has no pictures of what must not change, no noise levels to choose and an alpha of 1. Its steps are as many as
take the processor's seconds that were asked for.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zimage_core.checkpoints import read_lora
from zimage_core.data import read_picture_folder
from zimage_core.model import S3DiT
from zimage_core.nano.data.novelties import SHAPE
from zimage_core.nano.data.render import SIDE
from zimage_core.nano.files import FOLDER
from zimage_core.nano.judging.judge import load
from zimage_core.nano.judging.judge_lora import header, report
from zimage_core.training.encoded import EncodedExample, encoders_of

from .systems import stock_lora

FIRST = 5  # steps that tell how long one takes


def _seconds(dit: S3DiT, examples: Sequence[EncodedExample], **widgets: Any) -> float:
    """The processor's seconds of one training."""
    start = time.process_time()
    stock_lora.train(dit, examples, **widgets)
    return time.process_time() - start


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.stock_lora", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300, help="of the processor, for training")
    parser.add_argument("--batch", type=int, default=12, help="pictures a step")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-4, help="the node's default is 0.0005")
    parser.add_argument("--limit", type=int, default=48, help="prompts of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load(FOLDER)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        SHAPE.write(folder / "new")
        encoders = encoders_of(model.vae, model.text_encoder, model.tokenizer, folder / "encoded")
        examples = [encoders.example(each, SIDE * SIDE) for each in read_picture_folder(folder / "new")]
    widgets = {"batch_size": options.batch, "rank": options.rank, "learning_rate": options.lr, "training_dtype": "fp32"}
    widgets["lora_dtype"] = "fp32"
    once, more = (_seconds(model.dit, examples, steps=steps, **widgets) for steps in (1, 1 + FIRST))
    steps = max(FIRST, round((options.seconds - once) * FIRST / (more - once)))
    state = stock_lora.train(model.dit, examples, steps=steps, **widgets)
    lora = replace(read_lora(state), file="the stock node")
    sys.stdout.write(f"`{shlex.join(('python', '-m', 'bench.stock_lora', *sys.argv[1:]))}`: {steps} steps\n\n")
    sys.stdout.write(header(options.limit) + "\n")
    for line in report(SHAPE, {"stock Train LoRA": lora}, model, options.limit):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
