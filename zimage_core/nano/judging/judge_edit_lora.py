"""`python -m zimage_core.nano.judging.judge_edit_lora FILE`: an edit LoRA from pairs, where no reference was ever seen.

FILE is a transformer that has learned from captions alone. Stage 5 of `make nano` leaves one, and so does
`git show c8dc3898:zimage_core/nano/weights/transformer/diffusion_model.safetensors`. It is frozen, and so are the other
networks, which are nano's own. Edits that no pair shows are judged before the first step and along the way.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from ...atomic_file import write_atomically, write_text
from ...checkpoints import load_dit
from ...data import read_pairs
from ...training import Ema, Recipe, train
from ...training.encoded import Encoders, encoders_of
from ...training.flow_training import FlowMatching, TrainingSet, flow_matching_step
from ...training.objectives.noise_levels import NoiseLevels
from ...training.trainables import LAYERS, LoraTrainable
from ..data.edit_captions import TEMPLATES, instruct, plain_instruction
from ..data.edits import KINDS, Edit, held_out_edits, training_edit
from ..data.render import SIDE
from ..files import FOLDER
from .editor import EditingModel, load_editor
from .judge_edits import Row, judge_all

RANK = 64
LANGUAGE = "en"
# what to change is decided where there is much noise, as in nano's own stage of editing
STEP = FlowMatching(
    batch=16, token_budget=16384, saves_memory=False, caption_dropout=0.1, levels=NoiseLevels(shift=2.5)
)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Edits that are judged, and how often."""

    edits: Sequence[Edit]
    every: int  # steps

    def row(self, editor: EditingModel, name: str) -> Row:
        """What the editor makes of them."""
        sources = [edit.render(seed)[0] for seed, edit in enumerate(self.edits)]
        words = [plain_instruction(edit, LANGUAGE).text for edit in self.edits]
        with torch.inference_mode():
            results, kept = editor.edit(sources, words, 0), editor.reconstruct(sources)
        return judge_all(name, self.edits, results, kept)


def write_pairs(folder: Path, kinds: Sequence[str], n: int) -> None:
    """Pairs as a user would have them: `0000.source.png`, `0000.target.png` and the instruction in `0000.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(6)
    for index in range(n):
        edit = training_edit(rng, kinds[index % len(kinds)])
        for role, picture in zip(("source", "target"), edit.render(index), strict=True):
            file = folder / f"{index:04}.{role}.png"
            write_atomically(file, partial(picture.save, format="PNG"))
        words = instruct(edit, LANGUAGE, rng.choice(TEMPLATES[LANGUAGE][edit.kind]), rng).text
        write_text(folder / f"{index:04}.txt", words)


def learned(encoders: Encoders, folder: Path) -> TrainingSet:
    """The encoded pairs, in memory."""
    examples = [encoders.example(each, SIDE * SIDE) for each in tqdm(read_pairs(folder), desc="encoding")]
    return TrainingSet(examples=examples, no_caption=encoders.caption(""))


def curve(editor: EditingModel, dataset: TrainingSet, recipe: Recipe, judged: Judged, folder: Path) -> Iterator[str]:
    """Rows in Markdown: how many edits come out after so many steps, with averaged weights."""
    dit, generator = editor.dit, torch.Generator().manual_seed(recipe.seed)
    lora = LoraTrainable(dit, rank=RANK, alpha=RANK, generator=generator, layers=LAYERS["all"])
    ema = Ema(lora, recipe.ema_decay)
    losses = partial(flow_matching_step, dit, dataset, STEP, recipe.seed)
    yield line(judged.row(editor, "0"), 0.0)
    seconds, start = 0.0, time.process_time()
    with lora.attached():
        for progress in tqdm(train(lora, losses, recipe, ema, folder), total=recipe.steps):
            if (progress.step + 1) % judged.every and progress.step + 1 < recipe.steps:
                continue
            seconds += time.process_time() - start
            with ema.applied():
                yield line(judged.row(editor, str(progress.step + 1)), seconds)
            start = time.process_time()


def line(row: Row, seconds: float) -> str:
    """One row in Markdown, with the seconds of the processor that training took."""
    rate, low, high = row.success()
    parts = ("edited", "others", "nothing_else")
    right = [sum(getattr(each.score, part) for each in row.verdicts) / len(row.verdicts) for part in parts]
    cells = [f"{rate:.3f} ({low:.3f} to {high:.3f})", *(f"{each:.3f}" for each in right), f"{row.psnr_outside:.1f}"]
    return f"| {row.name} | {seconds:.0f} | {' | '.join(cells)} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("transformer", type=Path, help="that has learned from captions alone")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="of edits")
    parser.add_argument("--pairs", type=int, default=3000, help="to learn from")
    parser.add_argument("--steps", type=int, default=600, help="of 16 pairs")
    parser.add_argument("--every", type=int, default=150, help="steps between two rows")
    parser.add_argument("--limit", type=int, default=48, help="held-out edits")
    parser.add_argument("--folder", type=Path, help="keeps the training's state, so that it can be resumed")
    parser.add_argument("--threads", type=int, default=1, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder or Path(tempfile.mkdtemp())
    editor = replace(load_editor(FOLDER, has_tower=False), dit=load_dit(arguments.transformer, torch.float32))
    edits = [edit for edit in held_out_edits() if edit.kind in arguments.kinds]
    edits = random.Random(0).sample(edits, min(arguments.limit, len(edits)))
    recipe = Recipe(steps=arguments.steps, lr=2e-3, warmup_steps=25, decay_part=0.4, ema_decay=0.99, save_every=50)
    try:
        write_pairs(folder / "pairs", arguments.kinds, arguments.pairs)
        encoders = encoders_of(editor.vae, editor.text_encoder, editor.tokenizer, folder / "encoded")
        dataset, judged = learned(encoders, folder / "pairs"), Judged(edits=edits, every=arguments.every)
        tqdm.write(
            f"| steps | seconds | {len(edits)} held-out edits | edited | others | nothing else | PSNR outside, dB |"
        )
        tqdm.write("| --- " * 7 + "|")
        for each in curve(editor, dataset, recipe, judged, folder / "state"):
            tqdm.write(each)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
