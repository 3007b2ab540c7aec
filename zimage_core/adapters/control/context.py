"""What a Fun ControlNet looks at: a control picture's latent and, in 2.x, a mask and the latent of a hidden picture.

Letters: r pictures, H W latent cells, h w pixels.
"""

import torch
from torch import Tensor

from ..._shapes import Float

GREY = 0.5  # of pictures in [0, 1]


def hidden(pictures: Float[Tensor, "r h w k"], mask: Float[Tensor, "_ h w"]) -> Float[Tensor, "r h w k"]:
    """Pictures in [0, 1] that are mid-grey where the mask is at least a half: there the model paints anew."""
    return (pictures - GREY) * (mask < 0.5)[..., None] + GREY


def control_context(
    n_channels: int,
    control: Float[Tensor, "_ 16 H W"] | None,
    repaint: tuple[Float[Tensor, "_ 1 H W"], Float[Tensor, "_ 16 H W"]] | None,
    blank: Float[Tensor, "_ 16 H W"],
) -> Float[Tensor, "r c H W"]:
    """The channels in their order: control latent, keep (1 = stays), latent of the hidden picture.

    `repaint` is the last two. What is missing is `blank`, with keep = 0: zeros in the author's code, the latent of a
    grey picture in ComfyUI's. Latents are in model space, scaled and shifted.
    """
    if n_channels == 16:
        if control is None or repaint is not None:
            raise ValueError("a ControlNet of 16 channels reads a control picture and nothing else")
        return control
    keep, picture = repaint or (torch.zeros_like(blank[:, :1]), blank)
    pieces = [blank if control is None else control, keep, picture]
    count = max(map(len, pieces))
    return torch.cat([piece.expand(count, -1, -1, -1) for piece in pieces], dim=1)
