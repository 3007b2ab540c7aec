"""The input channels of a Fun ControlNet: a control image's latent and, in 2.x, a mask and a masked image's latent.

Letters: r images, H W latent size, h w pixels, k color channels, c input channels.
"""

import torch
from torch import Tensor

from ..._shapes import Float

GREY = 0.5  # of pixels in [0, 1]


def masked_image(images: Float[Tensor, "r h w k"], mask: Float[Tensor, "_ h w"]) -> Float[Tensor, "r h w k"]:
    """Images in [0, 1] for inpainting: mid-grey where the mask is at least 0.5, which the model fills in."""
    return (images - GREY) * (mask < 0.5)[..., None] + GREY


def control_context(
    n_channels: int,
    control: Float[Tensor, "_ 16 H W"] | None,
    inpaint: tuple[Float[Tensor, "_ 1 H W"], Float[Tensor, "_ 16 H W"]] | None,
    blank: Float[Tensor, "_ 16 H W"],
) -> Float[Tensor, "r c H W"]:
    """Concatenates control latent (16), keep (1) and masked image's latent (16); version 1.0 has the first 16 alone.

    `inpaint` is (keep, masked image's latent), keep = 1 where the image stays. A missing latent is replaced by `blank`
    and a missing keep by 0; blank is zeros in the author's code, the latent of a grey image in ComfyUI's. Latents are
    scaled and shifted as the model's. Raises `ValueError` if `n_channels` is 16 and `control` is missing or `inpaint`
    is given.
    """
    if n_channels == 16:
        if control is None or inpaint is not None:
            raise ValueError("a ControlNet of 16 channels reads a control picture and nothing else")
        return control
    keep, masked = inpaint or (torch.zeros_like(blank[:, :1]), blank)
    parts = [blank if control is None else control, keep, masked]
    count = max(map(len, parts))
    return torch.cat([part.expand(count, -1, -1, -1) for part in parts], dim=1)
