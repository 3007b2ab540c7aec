"""What a training node shows while it runs: the curve, and beside it the pictures that the model draws by then."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from .....zimage_core.recipes import TrainingConfig
from .....zimage_core.training.distillation.update import STUDENT
from .....zimage_core.training.encoded import Encoders
from .....zimage_core.training.loop.curve import read_curve
from .....zimage_core.training.loop.curve_picture import curve_picture
from .....zimage_core.training.previews import Previews, interval, latest_previews, prompts_of
from .....zimage_core.training.watch import Watch
from .base import preset_of
from .sockets import Sockets

ROW = 2  # times as wide as high: what is wider is a row of pictures


def shown(folder: Path, side: int) -> Image.Image:
    """The curve as a square, and the newest previews, each as high, to its right; rows of pictures below each other.

    The curve is the student's where several roles learn.
    """
    rows = [row for row in read_curve(folder) if row.get("role", STUDENT) == STUDENT]
    previews = [_opened(file) for file in latest_previews(folder)]
    if previews and all(each.width > ROW * each.height for each in previews):
        previews = [_stacked(previews)]
    parts = [curve_picture(rows, side), *(_as_high(each, side) for each in previews)]
    whole = Image.new("RGB", (sum(part.width for part in parts), side))
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    return whole


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


def _as_high(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((max(1, picture.width * side // picture.height), side))


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    """Rows of one size below each other, half as high as wide at least."""
    width, height = rows[0].size
    column = Image.new("RGB", (width, height * max(len(rows), 2)))
    for index, row in enumerate(rows):
        column.paste(row, (0, height * index))
    return column


def watch_of(encoders: Encoders, sockets: Sockets, file: Path, config: TrainingConfig, steps: int) -> Watch:
    """What is looked at beside the loss: previews of the config's prompts, else of the first picture's caption.

    If that is an edit, its sources are what the prompts change. They are drawn by the sampler that suits the model's
    file.
    """
    first, side = sockets.dataset.examples[0], config.side or sockets.dataset.side
    previews = Previews(
        prompts=prompts_of(encoders, first, config.previews or first.captions[:1], side),
        preset=preset_of(file),
        every=config.preview_every or interval(steps),
        decode=partial(decoded, sockets.model.get_model_object("latent_format"), sockets.vae),
        seed=config.seed,
    )
    return Watch(patience=config.patience, keep=config.keep, previews=previews)


def decoded(latent_format: Any, vae: Any, latent: Tensor) -> Image.Image:
    """The picture of a latent in model space, by ComfyUI's VAE."""
    pixels = vae.decode(latent_format.process_out(latent))[0]
    return Image.fromarray((pixels.float().clamp(0, 1) * 255).round().byte().cpu().numpy())
