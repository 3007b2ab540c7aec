"""Prepares a run with reference pictures: everything clean is embedded, refined and placed once.

Letters: b batch, n m tokens, d model width, c latent channels, H W latent cells, u v s a grid of vision features.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .._shapes import Float
from ..config import SEQUENCE_MULTIPLE
from .condition import Condition, RunBlock, run_block
from .references import REFERENCE, OmniRules, Places, Reference, Size, chunk_length, flatten_grid, places
from .sequence import UNIT_GRID, Grid, patch_grid

if TYPE_CHECKING:
    from .s3dit import S3DiT

Chunks = Sequence[Float[Tensor, "_ f"]]


def prepare_with_references(
    dit: "S3DiT",
    captions: Sequence[Chunks],
    references: Sequence[Sequence[Reference]],
    latent_size: Size,
    *,
    rules: OmniRules = REFERENCE,
    grid: Grid = UNIT_GRID,
    run: RunBlock = run_block,
) -> Condition:
    """The condition of items of one geometry, for latents of (H, W) cells.

    An item has r references and a chunk of caption features before each and before the picture itself; the published
    prompts of Omni close with one more where there is a reference.
    """
    layout = [item_places(dit, *item, latent_size, rules, grid) for item in zip(captions, references, strict=True)]
    kinds = {"captions": torch.stack([torch.cat([dit.embed("cap", chunk) for chunk in chunks]) for chunks in captions])}
    kinds["siglips"] = _siglips(dit, references, layout[0], kinds["captions"])
    device = kinds["captions"].device
    ropes = {kind: dit.rope([getattr(item, kind).positions for item in layout], device) for kind in Places._fields}
    for kind, row in (("captions", "context_refiner"), ("siglips", "siglip_refiner")):
        if kinds[kind].shape[1]:
            kinds[kind] = dit.refine(row, kinds[kind], ropes[kind], run)
    split = {kind: getattr(layout[0], kind).n_clean for kind in Places._fields}
    clean = {kind: rope[:, : split[kind]] for kind, rope in ropes.items()}
    noisy = {kind: rope[:, split[kind] :] for kind, rope in ropes.items()}
    order = ("captions", "siglips", "images")
    return Condition(
        caption=torch.cat([kinds[kind][:, split[kind] :] for kind in order[:2]], dim=1),
        size=patch_grid(latent_size, dit.config.patch_size),
        image_rope=ropes["images"],
        joint_rope=_joined([*(clean[kind] for kind in order), *(noisy[kind] for kind in order)]),
        clean_context=torch.cat([kinds[kind][:, : split[kind]] for kind in order[:2]], dim=1),
        clean_images=_images(dit, references, kinds["captions"]),
    )


def item_places(
    dit: "S3DiT", chunks: Chunks, references: Sequence[Reference], latent_size: Size, rules: OmniRules, grid: Grid
) -> Places:
    """Where one item's tokens stand."""
    if len(chunks) <= len(references):
        raise ValueError(
            f"{len(references)} references need a chunk of caption each, one for the picture and one to close, "
            f"not {len(chunks)} in all"
        )
    has_branch = dit.config.siglip_feat_dim is not None
    has_features = any(reference.siglip is not None for reference in references)
    if has_features and not has_branch:
        raise ValueError("this model has no branch for vision features; only Omni and Edit checkpoints have one")
    wants_pads = bool(references) and has_branch and rules.missing_siglip == "pads"
    latents = [None if each.latent is None else _size(each.latent, last=True) for each in references]
    grids = [None if each.siglip is None else _size(each.siglip, last=False) for each in references]
    return places(
        [len(chunk) for chunk in chunks],
        [*latents, latent_size],
        [*grids, None] if has_features or wants_pads else (),
        patch=dit.config.patch_size,
        rules=rules,
        grid=grid,
    )


def geometry(latent: Tensor, chunks: Chunks, references: Sequence[Reference]) -> tuple[object, ...]:
    """What items must share to run together: padded lengths and sizes; equal chunks need not be equally long."""
    shapes = [tuple(None if part is None else part.shape for part in reference) for reference in references]
    return latent.shape, tuple(chunk_length(len(chunk)) for chunk in chunks), tuple(shapes)


def _siglips(
    dit: "S3DiT", references: Sequence[Sequence[Reference]], layout: Places, like: Tensor
) -> Float[Tensor, "b m d"]:
    """Embedded vision features of all pictures; pads stand for the target's, and for any that is missing."""
    if not len(layout.siglips.positions):
        return like[:, :0]
    pads = dit.siglip_pad_token.to(like).expand(SEQUENCE_MULTIPLE, -1)
    return torch.stack(
        [
            torch.cat([*(pads if each.siglip is None else _features(dit, each.siglip) for each in item), pads])
            for item in references
        ]
    )


def _features(dit: "S3DiT", siglip: Float[Tensor, "u v s"]) -> Float[Tensor, "m d"]:
    return dit.embed("siglip", flatten_grid(siglip))


def _images(dit: "S3DiT", references: Sequence[Sequence[Reference]], like: Tensor) -> Float[Tensor, "b m d"] | None:
    """Embedded latents of the references; pads stand for one that is missing."""
    if not references[0]:
        return None
    pads = dit.x_pad_token.to(like).expand(SEQUENCE_MULTIPLE, -1)
    return torch.stack(
        [
            torch.cat([pads if each.latent is None else dit.embed("x", dit.patches(each.latent)) for each in item])
            for item in references
        ]
    )


def _joined(ropes: Sequence[Tensor]) -> Tensor:
    """Tables one after another; one that serves all items is repeated where another differs by item."""
    n_items = max(rope.shape[0] for rope in ropes)
    return torch.cat([rope.expand(n_items, *rope.shape[1:]) for rope in ropes], dim=1)


def _size(grid: Tensor, *, last: bool) -> Size:
    """Height and width of a latent, whose channels go first, or of features, whose channels go last."""
    return (grid.shape[-2], grid.shape[-1]) if last else (grid.shape[0], grid.shape[1])
