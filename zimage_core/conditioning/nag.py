"""Normalized attention guidance (NAG): a negative prompt inside attention, without a second run of the network.

Chen et al. 2025, arXiv 2505.21179. In every layer the picture's tokens attend twice, to the prompt and to the negative
prompt. The two results are extrapolated, the outcome is kept near the first in size (L1 norm), and blended with it:

    g = z+ + (scale - 1) · (z+ - z-)      g' = g · min(1, tau · |z+| / |g|)      z = alpha · g' + (1 - alpha) · z+

Since both results are replaced by the same z, the picture's tokens are the same beside either prompt: one set of them
is enough, and the negative prompt costs its own tokens and one more attention of the picture's queries. That is the
published method's result (and that of ComfyUI's NAGuidance) at about half of its work.

Letters: b batch, h heads, n tokens of prompt and picture, m tokens of the negative prompt, p of the picture, e head
width, d model width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from ..attention import Attention

SMALLEST_NORM = 1e-6


@dataclass(frozen=True, kw_only=True)
class NormalizedGuidance:
    """How far to move from the negative prompt. At scale 1, or alpha 0, there is no guidance."""

    scale: float = 1.0  # as ComfyUI and the method's authors count it: as CFG, 1 = off
    tau: float = 2.5  # the L1 norm of a token's guided result is at most tau times that of its own
    alpha: float = 0.25  # part of the guided result in the sum

    def __post_init__(self) -> None:
        if not (self.scale >= 1 and self.tau > 0 and 0 <= self.alpha <= 1):
            raise ValueError(
                "normalized attention guidance needs a scale of at least 1, a tau above 0 and an alpha from 0 to 1, "
                f"not {self.scale:g}, {self.tau:g} and {self.alpha:g}"
            )

    @property
    def is_on(self) -> bool:
        """Whether anything would change."""
        return self.scale != 1 and self.alpha != 0

    def __call__(self, positive: Float[Tensor, "b p d"], negative: Float[Tensor, "b p d"]) -> Float[Tensor, "b p d"]:
        """Attention's result for the prompt, moved away from that for the negative prompt; norms are float32."""
        guided = torch.lerp(positive, negative, 1 - self.scale)
        most = self.tau * _l1_norm(positive)
        factor = self.alpha * (most / _l1_norm(guided)).clamp(max=1)
        return torch.addcmul(positive * (1 - self.alpha), guided, factor.to(guided.dtype))


def _l1_norm(tokens: Float[Tensor, "b p d"]) -> Float[Tensor, "b p 1"]:
    return torch.linalg.vector_norm(tokens, 1, dim=-1, keepdim=True, dtype=torch.float32).clamp_min(SMALLEST_NORM)


class Layout(NamedTuple):
    """Where things are in a joint sequence that ends in a negative prompt.

    It is [references, prompt, picture, negative prompt]. References belong to either prompt.
    """

    image_start: int
    n_negative: int
    rows: Sequence[tuple[int, int]]  # (first, last + 1) of the batch items that are guided
    n_references: int = 0


def attend_beside_negative(
    guidance: NormalizedGuidance,
    layout: Layout,
    attend: Attention,
    attend_negative: Attention,
    q: Float[Tensor, "b h n_and_m e"],
    k: Float[Tensor, "b h n_and_m e"],
    v: Float[Tensor, "b h n_and_m e"],
    *,
    is_causal: bool = False,
) -> Float[Tensor, "b n_and_m d"]:
    """Attention of prompt and picture by `attend`, the picture's tokens guided, then the negative prompt's tokens.

    Those attend to references, picture and themselves by `attend_negative`, and nothing but the guidance looks at them.
    In items that are not guided they are zero.
    """
    n = q.shape[2] - layout.n_negative
    out = attend(q[:, :, :n], k[:, :, :n], v[:, :, :n])
    rest = out.new_zeros(len(out), layout.n_negative, out.shape[2])
    image = out[:, layout.image_start :]
    queries, keys, values = (each[:, :, layout.image_start :] for each in (q, k, v))
    if layout.n_references:
        clean = (each[:, :, : layout.n_references] for each in (k, v))
        keys, values = (torch.cat(pair, dim=2) for pair in zip(clean, (keys, values), strict=True))
    for first, end in layout.rows:
        beside = attend_negative(queries[first:end], keys[first:end], values[first:end])
        image[first:end] = guidance(image[first:end], beside[:, : image.shape[1]])
        rest[first:end] = beside[:, image.shape[1] :]
    return torch.cat((out, rest), dim=1)
