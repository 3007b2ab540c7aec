"""Stage 16 of the built-in model: a LoRA with which the transformer that is there draws in few steps.

It is made by the recipe and the engine that make every other student (`recipes/distill_turbo.toml`).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ...checkpoints import load_text_encoder, load_vae
from ...recipes import read_distillation
from ...sampling import NANO
from ...scoring.score import Score
from ...text import load_tokenizer
from ...training.distillation.student_run import StudentRun, Teacher, student_run
from ...training.encoded import encoders_of
from ...training.encoded_files import EncodedCaptions
from ...training.previews import CELL
from ...vae import to_images
from ..data.open_prompts import learned_prompts
from ..data.render import SIDE
from ..files import TOKENIZER, TURBO

RECIPE = Path(__file__).parents[3] / "recipes" / "distill_turbo.toml"


def turbo_run(folder: Path, weights: Path, scores: Sequence[Score] = ()) -> tuple[StudentRun, EncodedCaptions]:
    """The run, which keeps its state in a folder and writes `TURBO` below `weights`, and its prompts encoded."""
    prompts, cells = learned_prompts(), (SIDE // CELL, SIDE // CELL)
    config = read_distillation(RECIPE, {"model": str(weights), "out": str(weights / TURBO)})
    text, vae = load_text_encoder(weights, torch.float32), load_vae(weights, torch.float32)
    encoders = encoders_of(vae, text, load_tokenizer(weights / TOKENIZER), folder / "encoded")

    def decode(latent: Tensor) -> Image.Image:
        [picture] = to_images(vae.decode(latent))
        return picture

    teacher = Teacher(name="nano", preset=NANO, decode=decode, scores=scores)
    return student_run(config, prompts, encoders, teacher, cells, folder), encoders.captions(prompts)
