"""Previews of a student: each prompt in several numbers of steps, side by side in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from ..._shapes import Float
from ...model import S3DiT
from ...model.condition import RunBlock, run_block
from ...sampling import Preset
from ..previews import Previews

FEW_STEPS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class FewStepPreviews(Previews):
    """As `Previews`, with a picture of each of `presets` in a row instead of one of `preset`."""

    presets: Sequence[Preset]

    def drawn(self, dit: S3DiT, caption: Float[Tensor, "n f"], run: RunBlock = run_block) -> Image.Image:
        """The row, from the fewest steps to the most."""
        plain = [
            Previews(prompts=self.prompts, preset=preset, every=self.every, decode=self.decode, seed=self.seed)
            for preset in self.presets
        ]
        return side_by_side([each.drawn(dit, caption, run) for each in plain])


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in a row."""
    width, height = pictures[0].size
    row = Image.new("RGB", (width * len(pictures), height))
    for index, picture in enumerate(pictures):
        row.paste(picture, (index * width, 0))
    return row
