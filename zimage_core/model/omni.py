"""Prepares a run with reference pictures: everything clean is embedded, refined and placed once.

Letters: b batch, n m tokens, d model width, c latent channels, H W latent cells, u v s a grid of vision features.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .._shapes import Float
from ..config import DiTConfig
from ..kernels import Rope
from .condition import Condition, RunBlock, run_block
from .references import REFERENCE, OmniRules, Places, Reference, Size, chunk_length, flatten_grid, places
from .sequence import UNIT_GRID, Grid, patch_grid

Chunks = Sequence[Float[Tensor, "_ f"]]


@runtime_checkable
class Embedder(Protocol):
    """What preparing needs of S3-DiT."""

    config: DiTConfig

    def embed(self, kind: str, features: Float[Tensor, "n f"]) -> Float[Tensor, "m d"]: ...
    def patches(self, latent: Float[Tensor, "c H W"]) -> Float[Tensor, "n pqc"]: ...
    def rope(self, positions: Sequence[Float[Tensor, "n 3"]], device: torch.device) -> Rope: ...
    def refine(
        self, name: str, tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock
    ) -> Float[Tensor, "b n d"]: ...


def prepare_with_references(
    dit: Embedder,
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
    dit: Embedder, chunks: Chunks, references: Sequence[Reference], latent_size: Size, rules: OmniRules, grid: Grid
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
    dit: Embedder, references: Sequence[Sequence[Reference]], layout: Places, like: Tensor
) -> Float[Tensor, "b m d"]:
    """Embedded vision features of all pictures; pads stand for the target's, and for any that is missing."""
    width = dit.config.siglip_feat_dim
    if not len(layout.siglips.positions) or width is None:
        return like[:, :0]
    nothing = like.new_empty(0, width)
    features = [
        [*(nothing if each.siglip is None else flatten_grid(each.siglip) for each in item), nothing]
        for item in references
    ]
    return torch.stack([torch.cat([dit.embed("siglip", each) for each in item]) for item in features])


def _images(dit: Embedder, references: Sequence[Sequence[Reference]], like: Tensor) -> Float[Tensor, "b m d"] | None:
    """Embedded latents of the references; pads stand for one that is missing."""
    if not references[0]:
        return None
    nothing = like.new_empty(0, dit.config.patch_dim)
    patches = [[nothing if each.latent is None else dit.patches(each.latent) for each in item] for item in references]
    return torch.stack([torch.cat([dit.embed("x", each) for each in item]) for item in patches])


def _joined(ropes: Sequence[Tensor]) -> Tensor:
    """Tables one after another; one that serves all items is repeated where another differs by item."""
    n_items = max(rope.shape[0] for rope in ropes)
    return torch.cat([rope.expand(n_items, *rope.shape[1:]) for rope in ropes], dim=1)


def _size(grid: Tensor, *, last: bool) -> Size:
    """Height and width of a latent, whose channels go first, or of features, whose channels go last."""
    return (grid.shape[-2], grid.shape[-1]) if last else (grid.shape[0], grid.shape[1])
