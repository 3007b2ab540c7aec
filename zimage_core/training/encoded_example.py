"""Examples as the frozen networks see them: latents, text features, and for edits what is looked at."""

from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..config import SEQUENCE_MULTIPLE
from ..model import Reference
from ..model.references import chunk_length
from ..model.sequence import padded_length

PATCH = 4  # latent cells of an image token


class EncodedPicture(NamedTuple):
    """The distribution of a picture's latent in model space; each time it is trained on, a new latent is drawn."""

    mean: Float[Tensor, "z h w"]
    logvar: Float[Tensor, "z h w"]

    def draw(self, generator: torch.Generator) -> Float[Tensor, "z h w"]:
        """A latent, in float32."""
        noise = torch.randn(self.mean.shape, generator=generator)
        return self.mean.float() + (self.logvar.float() / 2).exp() * noise


class Seen(NamedTuple):
    """What an edit looks at, and the chunks of text around its instruction, which are the same for all edits."""

    references: tuple[Reference, ...]  # latents as they are at inference: their means
    before: tuple[Float[Tensor, "_ f"], ...]  # a chunk before each picture
    after: Float[Tensor, "_ f"]
    no_caption: Float[Tensor, "_ f"]  # the chunk of an empty instruction

    @property
    def tokens(self) -> int:
        """Of the transformer's sequence, beside those of the picture and the instruction."""
        words = sum(chunk_length(len(each)) for each in (*self.before, self.after))
        pictures = [
            padded_length(each.latent[0].numel() // PATCH) for each in self.references if each.latent is not None
        ]
        grids = [each.vision_features for each in self.references if each.vision_features is not None]
        seen = sum(padded_length(grid[..., 0].numel()) for grid in grids)
        return words + sum(pictures) + seen + (SEQUENCE_MULTIPLE if grids else 0)  # pads of the target's features

    def chunks(self, instruction: Float[Tensor, "_ f"]) -> tuple[Float[Tensor, "_ f"], ...]:
        """All chunks of a prompt."""
        return *self.before, instruction, self.after


class EncodedExample(NamedTuple):
    """A picture, and the text features of each of its captions at their exact lengths."""

    picture: EncodedPicture
    captions: tuple[Float[Tensor, "_ f"], ...]
    seen: Seen | None = None  # of an edit, whose captions are instructions
    weight: Float[Tensor, "h w"] | None = None  # of each latent cell's loss, 1 on average

    def draw_caption(self, generator: torch.Generator) -> Float[Tensor, "_ f"]:
        """One of its captions."""
        return self.captions[int(torch.randint(len(self.captions), (1,), generator=generator))]
