"""S3-DiT, the Scalable Single-Stream Diffusion Transformer of Z-Image (arXiv 2511.22699).

Letters: b batch, c latent channels, H W latent cells, n m tokens, f caption width, s vision feature width, pqc values
of a patch, d model width, t time vector width.

Attribute names are the keys of the single-file checkpoints artists have on disk, so those load without a table.
Captions, rope and pads of a run do not depend on the latent: `prepare` computes them once, and `flow` turns them into
the velocity field a sampler integrates. Omni and Edit models also read reference images: `omni.py` prepares those.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal, TypedDict, cast

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from .._shapes import Float
from ..config import DiTConfig
from ..kernels import Rope
from ..ops import TORCH, Factory, Layers, Ops
from .block import Block, FinalLayer, NormWeights
from .condition import (
    BaseNormWeights,
    Condition,
    Modulation,
    RawNetwork,
    RunBlock,
    Stage,
    VelocityField,
    run_block,
    split_modulation,
)
from .embed import TimestepEmbedder, feature_embedder
from .omni import Chunks, batch_key, prepare_with_references
from .references import LatentAndFeatures, OmniRules, Reference
from .rope import rope_table
from .sequence import (
    UNIT_GRID,
    Grid,
    caption_positions,
    image_positions,
    padded_length,
    patch_grid,
    patchify,
    unpatchify,
)


class OmniChoices(TypedDict, total=False):
    """The fields of `OmniRules`, as keyword arguments."""

    caption_positions: Literal["clean", "diffusers"]
    siglip_positions: Literal["diffusers", "comfyui"]
    target_siglip: Literal["noisy", "clean"]
    missing_siglip: Literal["absent", "pads"]
    ends_without_branch: Literal["words", "pads"]


class S3DiT(nn.Module):
    """Predicts the velocity noise - image from noisy latents, a noise level and text embeddings."""

    def __init__(
        self,
        config: DiTConfig,
        *,
        ops: Ops = TORCH,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory = Factory(device=device, dtype=dtype)
        self.config = config
        self.x_embedder = ops.Linear(config.patch_dim, config.dim, **factory)
        self.cap_embedder = feature_embedder(config.cap_feat_dim, config.dim, config.norm_eps, ops=ops, **factory)
        self.t_embedder = TimestepEmbedder(config.time_hidden_dim, config.adaln_dim, ops=ops, **factory)
        self.noise_refiner: Layers[Block] = Layers(
            Block(config, ops=ops, **factory) for _ in range(config.n_refiner_layers)
        )
        self.context_refiner: Layers[Block] = Layers(
            Block(config, is_modulated=False, ops=ops, **factory) for _ in range(config.n_refiner_layers)
        )
        self.layers: Layers[Block] = Layers(Block(config, ops=ops, **factory) for _ in range(config.n_layers))
        self.final_layer = FinalLayer(config, ops=ops, **factory)
        self.x_pad_token = nn.Parameter(torch.empty(1, config.dim, **factory))
        self.cap_pad_token = nn.Parameter(torch.empty(1, config.dim, **factory))
        if config.siglip_feat_dim is not None:
            width = config.siglip_feat_dim
            self.siglip_embedder = feature_embedder(width, config.dim, config.norm_eps, ops=ops, **factory)
            self.siglip_refiner: Layers[Block] = Layers(
                Block(config, is_modulated=False, ops=ops, **factory) for _ in range(config.n_refiner_layers)
            )
            self.siglip_pad_token = nn.Parameter(torch.empty(1, config.dim, **factory))

    def forward(
        self,
        latents: Float[Tensor, "b c H W"] | Sequence[Float[Tensor, "c _ _"]],
        sigma: Float[Tensor, " b"],
        captions: Chunks | Sequence[Chunks],
        *,
        references: Sequence[Sequence[LatentAndFeatures]] | None = None,
        **choices: Unpack[OmniChoices],
    ) -> Tensor | list[Tensor]:
        """Velocity noise - image of every latent, in the form of `latents`: one tensor or a list.

        `sigma` is in [0, 1], 1 = pure noise; `captions` are text embeddings (n, f) per item. With `references`, per
        item a list of r `Reference`s or plain tuples (latent (c, H, W) or None, vision features (gh, gw, s) or None),
        an item's caption is the list of its r + 2 chunks (one chunk where r is 0), and `choices` are fields of
        `OmniRules`. Items of equal padded lengths and sizes run as one batch, the others group by group: no mask is
        needed, because pads are learned tokens that are attended.
        """
        chunks = cast("Sequence[Chunks]", captions if references is not None else [[caption] for caption in captions])
        pairs = references if references is not None else [()] * len(latents)
        groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
        for item, each in enumerate(zip(latents, chunks, pairs, strict=True)):
            groups[batch_key(*each)].append(item)
        velocities: dict[int, Tensor] = {}
        for items in groups.values():
            group = torch.stack([latents[item] for item in items])
            size = (group.shape[-2], group.shape[-1])
            like = group.new_empty(0, dtype=self.x_pad_token.dtype)  # weights may be in RAM until layers are called
            texts = [[chunk.to(like) for chunk in chunks[item]] for item in items]
            if references is None:
                condition = self.prepare([text for (text,) in texts], size)
            else:
                images = [[Reference(*pair).to(like) for pair in references[item]] for item in items]
                condition = self.prepare_with_references(texts, images, size, rules=OmniRules(**choices))
            velocities.update(zip(items, self.flow(condition)(group, sigma[items]), strict=True))
        ordered = [velocities[item] for item in range(len(velocities))]
        return torch.stack(ordered) if isinstance(latents, Tensor) else ordered

    def prepare(
        self,
        captions: Chunks,
        latent_size: tuple[int, int],
        *,
        grid: Grid = UNIT_GRID,
        run: RunBlock = run_block,
    ) -> Condition:
        """Embed and refine text embeddings that pad to one common length, for latents of (H, W) cells."""
        size = patch_grid(latent_size, self.config.patch_size)
        caption = torch.stack([self.embed_caption(embeddings) for embeddings in captions])  # (b, n, d)
        length = caption.shape[1]
        positions = caption_positions(length), image_positions(size, start=length + 1, grid=grid)
        rope = self.rope([torch.cat(positions)], caption.device)
        caption = self.refine_captions(caption, rope[:, :length], run)
        return Condition(caption, size, image_rope=rope[:, length:], joint_rope=rope)

    prepare_with_references = prepare_with_references

    def flow(
        self,
        condition: Condition,
        sigmas: Iterable[float] = (),
        *,
        run: RunBlock = run_block,
        network: RawNetwork | None = None,
        base_norm_weights: BaseNormWeights | None = None,
    ) -> VelocityField:
        """The velocity field of a prepared condition; the modulation of a schedule's `sigmas` is computed here, once.

        `network` replaces `self.network`, for instance by replays of CUDA graphs (`runtime/cuda_graphs.py`);
        `base_norm_weights` are `self.base_norm_weights`, for callers that build a field at every step.

        Only this function knows the network's own conventions: its time is 1 - sigma, and it returns image - noise.
        Everywhere else velocity means dx/dsigma = noise - image.
        """
        dtype = condition.caption.dtype
        device = condition.caption.device
        modulate = partial(
            self.modulation,
            dtype=dtype,
            base_norm_weights=base_norm_weights or self.base_norm_weights(condition.caption),
        )
        precomputed = {sigma: modulate(1 - torch.tensor([sigma], device=device)) for sigma in sigmas}
        clean = modulate(torch.ones(1, device=device)) if condition.n_clean else None
        step = network or partial(self.network, run=run)

        def velocity(x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]:
            modulation = precomputed.get(sigma) if isinstance(sigma, float) else None
            if modulation is None:
                time = 1 - torch.as_tensor(sigma, dtype=torch.float32, device=device).reshape(-1)
                modulation = modulate(time)
            if clean is not None:
                modulation = split_modulation(clean, modulation, condition)
            return -step(x.to(dtype), condition, modulation).to(x.dtype)

        return velocity

    def base_norm_weights(self, like: Tensor) -> BaseNormWeights:
        """Norm weights of the modulated blocks, in the dtype and on the device of `like`."""
        stacks = (self.noise_refiner, self.layers)
        return BaseNormWeights(*([block.base_norm_weights(like) for block in blocks] for blocks in stacks))

    def modulation(
        self, time: Float[Tensor, " b"], dtype: torch.dtype, base_norm_weights: BaseNormWeights | None = None
    ) -> Modulation:
        """Norm weights of every modulated block at network times (1 = clean), from known base ones, if any."""
        vector = self.t_embedder(time, dtype)  # (b, t)
        norms = base_norm_weights or self.base_norm_weights(vector)
        return Modulation(
            time=vector,
            noise_refiner=_modulated(self.noise_refiner, vector, norms.noise_refiner),
            layers=_modulated(self.layers, vector, norms.layers),
            final=self.final_layer.scale(vector),
        )

    def network(
        self,
        x: Float[Tensor, "b c H W"],
        condition: Condition,
        modulation: Modulation,
        run: RunBlock = run_block,
    ) -> Float[Tensor, "b c H W"]:
        """The raw network, image - noise: refine image tokens, join them with the context, run the layers."""
        image = self.x_embedder(patchify(x, self.config.patch_size))  # (b, n, d)
        n_patches, n_clean = image.shape[1], condition.n_clean_images
        image = _pad(image, self.x_pad_token, condition.image_rope.shape[1] - n_clean)
        if condition.clean_images is not None:
            image = torch.cat((condition.clean_images.expand(len(image), -1, -1), image), dim=1)
        stage = Stage("noise_refiner", condition.image_rope, modulation.noise_refiner, modulation.time)
        for index, block in enumerate(self.noise_refiner):
            image = run(stage, index, block, image)
        pieces = (condition.clean_context, image[:, :n_clean], condition.caption, image[:, n_clean:])
        joint = torch.cat([piece.expand(len(image), -1, -1) for piece in pieces if piece is not None], dim=1)
        stage = Stage("layers", condition.joint_rope, modulation.layers, modulation.time)
        for index, block in enumerate(self.layers):
            joint = run(stage, index, block, joint)
        start = condition.image_start
        patches = self.final_layer(joint[:, start : start + n_patches], modulation.final)
        return unpatchify(patches, condition.size, self.config.patch_size)

    def refine_captions(self, tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock) -> Float[Tensor, "b n d"]:
        """Embedded captions through their refiner."""
        return _refine("context_refiner", self.context_refiner, tokens, rope, run)

    def refine_vision(self, tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock) -> Float[Tensor, "b n d"]:
        """Embedded vision features through their refiner."""
        return _refine("siglip_refiner", self.siglip_refiner, tokens, rope, run)

    def embed_caption(self, embeddings: Float[Tensor, "n f"]) -> Float[Tensor, "m d"]:
        """Text embeddings in the model's width, padded to a multiple of 32."""
        return _embed(self.cap_embedder, self.cap_pad_token, embeddings)

    def embed_vision(self, features: Float[Tensor, "n s"]) -> Float[Tensor, "m d"]:
        """Vision features in the model's width, padded to a multiple of 32."""
        return _embed(self.siglip_embedder, self.siglip_pad_token, features)

    def embed_patches(self, patches: Float[Tensor, "n pqc"]) -> Float[Tensor, "m d"]:
        """Patch vectors in the model's width, padded to a multiple of 32."""
        return _embed(self.x_embedder, self.x_pad_token, patches)

    def patches(self, latent: Float[Tensor, "c H W"]) -> Float[Tensor, "n pqc"]:
        """One latent's patch vectors."""
        return patchify(latent[None], self.config.patch_size)[0]

    def rope(self, positions: Sequence[Float[Tensor, "n 3"]], device: torch.device) -> Rope:
        """Rotations of token positions: one table if all items share their positions, else one per item."""
        distinct = positions[:1] if all(torch.equal(each, positions[0]) for each in positions) else positions
        tables = [rope_table(each, self.config.axes_dims, self.config.rope_theta) for each in distinct]
        # a single table stays contiguous by columns, which kernels read without a copy
        return (tables[0] if len(tables) == 1 else torch.cat(tables)).to(device)


def _modulated(blocks: Layers[Block], time: Float[Tensor, "b t"], norms: Sequence[NormWeights]) -> list[NormWeights]:
    return [block.modulated(weights, time) for block, weights in zip(blocks, norms, strict=True)]


def _refine(
    name: str, blocks: Layers[Block], tokens: Float[Tensor, "b n d"], rope: Rope, run: RunBlock
) -> Float[Tensor, "b n d"]:
    """Tokens through a stack of blocks without modulation."""
    stage = Stage(name, rope, [block.base_norm_weights(tokens) for block in blocks], None)
    for index, block in enumerate(blocks):
        tokens = run(stage, index, block, tokens)
    return tokens


def _embed(embedder: nn.Module, pad: Float[Tensor, "1 d"], values: Float[Tensor, "n v"]) -> Float[Tensor, "m d"]:
    """Vectors in the model's width, padded to a multiple of 32; none at all become 32 pads."""
    return _pad(embedder(values[None]), pad, padded_length(max(1, len(values))))[0]


def _pad(tokens: Float[Tensor, "b n d"], pad: Float[Tensor, "1 d"], length: int) -> Float[Tensor, "b m d"]:
    """Append the learned pad token up to `length`; cast here, as ComfyUI may keep it on another device or dtype."""
    pads = pad.to(tokens).expand(tokens.shape[0], length - tokens.shape[1], -1)
    return torch.cat((tokens, pads), dim=1)
