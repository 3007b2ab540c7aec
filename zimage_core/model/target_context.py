"""What a picture with references hears beside them: one caption or more, each with the text that closes its prompt.

A target's context ends right before its image, whatever its length, so that several can lie side by side, and a
negative prompt behind them all.

Letters: b batch, n tokens, f width of the text embeddings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .._shapes import Float
from .condition import Condition, RunBlock, run_block
from .omni import Chunks, place_tokens
from .references import ItemPositions, OmniRules, Reference
from .s3dit import S3DiT
from .sequence import UNIT_GRID, Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferencePrompt:
    """What the items of a batch have beside their captions: chunks of text around it and references."""

    before: Sequence[Chunks]  # for every item a chunk for each of its references
    after: Sequence[Chunks]  # for every item what closes its prompt
    references: Sequence[Sequence[Reference]]
    rules: OmniRules

    def of(self, captions: Sequence[Float[Tensor, "_ f"]]) -> list[list[Tensor]]:
        """The chunks of every item with these captions."""
        items = zip(self.before, captions, self.after, strict=True)
        return [[*before, caption, *after] for before, caption, after in items]


class TargetContext(NamedTuple):
    """A caption with references as if it were alone, and the positions of every item's tokens."""

    condition: Condition
    positions: Sequence[ItemPositions]

    @property
    def image_at(self) -> list[float]:
        """Where the target's image lies on the sequence axis, for every item."""
        return [float(images.positions[images.n_clean, 0]) for *_, images in self.positions]

    def before_image_at(self, image_at: Sequence[float]) -> list[Float[Tensor, "n 3"]]:
        """Positions of the target's context where the image lies there; pads at the origin stay."""
        moved: list[Tensor] = []
        for (captions, vision, _), own, wanted in zip(self.positions, self.image_at, image_at, strict=True):
            positions = torch.cat([each.positions[each.n_clean :] for each in (captions, vision)])
            positions[:, 0] += (wanted - own) * (positions[:, 0] > 0)
            moved.append(positions)
        return moved


def target_context(
    network: S3DiT,
    prompt: ReferencePrompt,
    captions: Sequence[Float[Tensor, "_ f"]],
    latent_size: tuple[int, int],
    *,
    grid: Grid = UNIT_GRID,
    run: RunBlock = run_block,
) -> TargetContext:
    """Captions of one padded length, one for each item, refined among the text of their references."""
    chunks, rules = prompt.of(captions), prompt.rules
    condition = network.prepare_with_references(chunks, prompt.references, latent_size, rules=rules, grid=grid, run=run)
    positions = [
        place_tokens(network, texts, references, latent_size, rules, grid)
        for texts, references in zip(chunks, prompt.references, strict=True)
    ]
    return TargetContext(condition, positions)


def contexts_side_by_side(network: S3DiT, parts: Sequence[TargetContext]) -> TargetContext:
    """Contexts of the same references and the same image in one; one alone is itself, bit for bit.

    What is clean is the first one's. All end together, as `captions.side_by_side` has it.
    """
    if len(parts) == 1:
        return parts[0]
    farthest = [max(parts, key=lambda part, item=item: part.image_at[item]) for item in range(len(parts[0].positions))]
    placed = [part.positions[item] for item, part in enumerate(farthest)]
    image_at = [part.image_at[item] for item, part in enumerate(farthest)]
    texts = [torch.cat(each) for each in zip(*(part.before_image_at(image_at) for part in parts), strict=True)]
    positions = [
        torch.cat(
            (*(each.positions[: each.n_clean] for each in item), text, item.images.positions[item.images.n_clean :])
        )
        for item, text in zip(placed, texts, strict=True)
    ]
    first = parts[0].condition
    device = first.caption.device
    condition = first._replace(
        caption=torch.cat([part.condition.caption for part in parts], dim=1),
        image_rope=network.rope([item.images.positions for item in placed], device),
        joint_rope=network.rope(positions, device),
    )
    return TargetContext(condition, placed)
