"""Prepares a run with reference images: everything clean is embedded, refined and positioned once.

Three token streams are built side by side: text chunks, vision features, and images. In each, clean tokens go first.

Letters: b batch, n m k t tokens, d model width, f caption width, c latent channels, H W latent cells, pqc values of a
patch, s vision feature width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .._shapes import Float
from ..config import DiTConfig
from ..kernels import Rope
from .condition import Condition, RunBlock, run_block
from .references import (
    DEFAULT_RULES,
    ItemPositions,
    LatentAndFeatures,
    OmniRules,
    Reference,
    Size,
    StreamPositions,
    chunk_length,
    flatten_grid,
    item_positions,
)
from .sequence import UNIT_GRID, Grid, patch_grid

Chunks = Sequence[Float[Tensor, "_ f"]]


@runtime_checkable
class TokenEmbedder(Protocol):
    """The part of S3-DiT that makes context tokens: embedders, rope tables and the refiners without modulation."""

    config: DiTConfig

    def embed_caption(self, embeddings: Float[Tensor, "n f"]) -> Float[Tensor, "m d"]: ...
    def embed_vision(self, features: Float[Tensor, "n s"]) -> Float[Tensor, "m d"]: ...
    def embed_patches(self, patches: Float[Tensor, "n pqc"]) -> Float[Tensor, "m d"]: ...
    def patches(self, latent: Float[Tensor, "c H W"]) -> Float[Tensor, "n pqc"]: ...
    def rope(self, positions: Sequence[Float[Tensor, "n 3"]], device: torch.device) -> Rope: ...
    def refine_captions(self, tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock) -> Float[Tensor, "b n d"]: ...
    def refine_vision(self, tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock) -> Float[Tensor, "b n d"]: ...


@dataclass(frozen=True)
class TokenStream:
    """Tokens of one kind for a batch of items, and their rope table, clean tokens first.

    The image stream holds tokens of the references only, while its table also covers the target, whose tokens change
    at every step.
    """

    tokens: Float[Tensor, "b t d"]
    rope: Rope
    n_clean: int

    @property
    def clean_tokens(self) -> Float[Tensor, "b k d"]:
        """Tokens of the references."""
        return self.tokens[:, : self.n_clean]

    @property
    def noisy_tokens(self) -> Float[Tensor, "b m d"]:
        """Tokens of the target."""
        return self.tokens[:, self.n_clean :]

    @property
    def clean_rope(self) -> Rope:
        """Rotations of the references' tokens."""
        return self.rope[:, : self.n_clean]

    @property
    def noisy_rope(self) -> Rope:
        """Rotations of the target's tokens."""
        return self.rope[:, self.n_clean :]


def prepare_with_references(
    dit: TokenEmbedder,
    captions: Sequence[Chunks],
    references: Sequence[Sequence[LatentAndFeatures]],
    latent_size: Size,
    *,
    rules: OmniRules = DEFAULT_RULES,
    grid: Grid = UNIT_GRID,
    run: RunBlock = run_block,
) -> Condition:
    """The condition of items with one `batch_key` (equal padded lengths and sizes), for latents of (H, W) cells.

    An item has r references, each a `Reference` or a plain tuple (latent (c, H, W) or None, features (gh, gw, s) or
    None), and a chunk of text embeddings before each and before the target; the published prompts of Omni close with
    one more chunk where there is a reference.
    """
    pairs_of_items = [[Reference(*pair) for pair in pairs] for pairs in references]
    positions = [
        place_tokens(dit, chunks, pairs, latent_size, rules, grid)
        for chunks, pairs in zip(captions, pairs_of_items, strict=True)
    ]
    caption_tokens = torch.stack([torch.cat([dit.embed_caption(chunk) for chunk in chunks]) for chunks in captions])
    vision_tokens = _embed_vision(dit, pairs_of_items, positions[0], caption_tokens)
    image_tokens = _embed_images(dit, pairs_of_items, caption_tokens)
    device = caption_tokens.device

    def stream(tokens: Tensor, items: Sequence[StreamPositions]) -> TokenStream:
        return TokenStream(tokens, dit.rope([item.positions for item in items], device), items[0].n_clean)

    text = _refined(stream(caption_tokens, [item.captions for item in positions]), dit.refine_captions, run)
    vision = _refined(stream(vision_tokens, [item.vision for item in positions]), dit.refine_vision, run)
    images = stream(image_tokens, [item.images for item in positions])
    streams = (text, vision, images)
    return Condition(
        caption=torch.cat([text.noisy_tokens, vision.noisy_tokens], dim=1),
        size=patch_grid(latent_size, dit.config.patch_size),
        image_rope=images.rope,
        joint_rope=_joined([*(each.clean_rope for each in streams), *(each.noisy_rope for each in streams)]),
        clean_context=torch.cat([text.clean_tokens, vision.clean_tokens], dim=1),
        clean_images=images.tokens if images.n_clean else None,
    )


def batch_key(latent: Tensor, chunks: Chunks, references: Sequence[LatentAndFeatures]) -> tuple[object, ...]:
    """What items must share to run as one batch: padded chunk lengths and tensor sizes."""
    shapes = [tuple(None if part is None else part.shape for part in reference) for reference in references]
    return latent.shape, tuple(chunk_length(len(chunk)) for chunk in chunks), tuple(shapes)


def place_tokens(
    dit: TokenEmbedder,
    chunks: Chunks,
    references: Sequence[Reference],
    latent_size: Size,
    rules: OmniRules,
    grid: Grid,
) -> ItemPositions:
    """Positions of one item's tokens; its chunks and features are checked against the model (ValueError)."""
    if len(chunks) <= len(references):
        raise ValueError(
            f"{len(references)} references need a chunk of caption each, one for the picture and one to close, "
            f"not {len(chunks)} in all"
        )
    has_branch = dit.config.siglip_feat_dim is not None
    has_features = any(each.vision_features is not None for each in references)
    if has_features and not has_branch:
        raise ValueError("this model has no branch for vision features; only Omni and Edit checkpoints have one")
    needs_pads = bool(references) and has_branch and rules.missing_siglip == "pads"
    latent_sizes = [None if each.latent is None else _latent_size(each.latent) for each in references]
    vision_grids = [None if each.vision_features is None else _grid_size(each.vision_features) for each in references]
    return item_positions(
        [len(chunk) for chunk in chunks],
        [*latent_sizes, latent_size],
        [*vision_grids, None] if has_features or needs_pads else (),
        patch=dit.config.patch_size,
        has_branch=has_branch,
        rules=rules,
        grid=grid,
    )


def _embed_vision(
    dit: TokenEmbedder, references: Sequence[Sequence[Reference]], positions: ItemPositions, like: Tensor
) -> Float[Tensor, "b m d"]:
    """Embedded vision features of all images; pads in place of the target's and of missing ones."""
    width = dit.config.siglip_feat_dim
    if not len(positions.vision.positions) or width is None:
        return like[:, :0]
    empty = like.new_empty(0, width)
    features = [
        [*(empty if each.vision_features is None else flatten_grid(each.vision_features) for each in item), empty]
        for item in references
    ]
    return torch.stack([torch.cat([dit.embed_vision(each) for each in item]) for item in features])


def _embed_images(
    dit: TokenEmbedder, references: Sequence[Sequence[Reference]], like: Tensor
) -> Float[Tensor, "b m d"]:
    """Embedded latents of the references; pads in place of missing ones."""
    if not references[0]:
        return like[:, :0]
    empty = like.new_empty(0, dit.config.patch_dim)
    patches = [[empty if each.latent is None else dit.patches(each.latent) for each in item] for item in references]
    return torch.stack([torch.cat([dit.embed_patches(each) for each in item]) for item in patches])


def _refined(stream: TokenStream, refine: Callable[[Tensor, Rope, RunBlock], Tensor], run: RunBlock) -> TokenStream:
    """A stream after its refiner; an empty one as it is."""
    if not stream.tokens.shape[1]:
        return stream
    return replace(stream, tokens=refine(stream.tokens, stream.rope, run))


def _joined(ropes: Sequence[Tensor]) -> Tensor:
    """Rope tables concatenated along the tokens; tables shared by all items are expanded where others differ."""
    n_items = max(rope.shape[0] for rope in ropes)
    return torch.cat([rope.expand(n_items, *rope.shape[1:]) for rope in ropes], dim=1)


def _latent_size(latent: Float[Tensor, "c H W"]) -> Size:
    return latent.shape[1], latent.shape[2]


def _grid_size(features: Float[Tensor, "gh gw s"]) -> Size:
    return features.shape[0], features.shape[1]
