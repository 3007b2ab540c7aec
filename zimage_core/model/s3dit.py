"""S3-DiT, the Scalable Single-Stream Diffusion Transformer of Z-Image (arXiv 2511.22699).

Letters: b batch, c latent channels, H W latent cells, n m tokens, f caption features, d model width, t time vector.

Attribute names are the keys of the single-file checkpoints artists have on disk, so those load without a table.
Captions, rope and pads of a run do not depend on the latent: `prepare` computes them once, and `flow` turns them into
the velocity field a sampler integrates.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .._shapes import Float
from ..config import DiTConfig
from ..ops import TORCH, Factory, Layers, Ops
from .block import Block, FinalLayer, Gains
from .embed import TimestepEmbedder, caption_embedder
from .rope import Rope, rope_table
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


class Modulation(NamedTuple):
    """Everything the network needs of one time: the adaLN rows of all blocks and of the final layer."""

    time: Float[Tensor, "b t"]
    noise_refiner: list[Gains]
    layers: list[Gains]
    final: Float[Tensor, "b 1 d"]


class Condition(NamedTuple):
    """What a whole run needs of its captions and its picture size."""

    caption: Float[Tensor, "b n d"]  # refined, padded to a multiple of 32
    size: tuple[int, int]  # patch grid
    image_rope: Rope
    joint_rope: Rope


class Stage(NamedTuple):
    """One of the network's three rows of blocks, and what its blocks share."""

    name: str  # "context_refiner", "noise_refiner" or "layers", the attribute's name
    rope: Rope
    gains: Sequence[Gains]  # one per block
    time: Float[Tensor, "b t"] | None  # what the gains were made from; None where nothing modulates


@runtime_checkable
class RunBlock(Protocol):
    """Applies block `index` of a stage. A host passes its own to patch blocks or to choose their attention."""

    def __call__(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor: ...


@runtime_checkable
class Velocity(Protocol):
    """The velocity field dx/dsigma at latents x and noise level sigma in [0, 1]."""

    def __call__(self, x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]: ...


def run_block(stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
    """Just the block."""
    return block(x, stage.rope, stage.gains[index])


class S3DiT(nn.Module):
    """Predicts noise − picture from noisy latents, a noise level and caption features."""

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
        self.cap_embedder = caption_embedder(config.cap_feat_dim, config.dim, config.norm_eps, ops=ops, **factory)
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

    def forward(
        self,
        latents: Float[Tensor, "b c H W"] | Sequence[Float[Tensor, "c _ _"]],
        sigma: Float[Tensor, " b"],
        captions: Sequence[Float[Tensor, "_ f"]],
    ) -> Tensor | list[Tensor]:
        """Velocity noise − picture of every latent, in the form the latents came in.

        Items whose captions pad to the same length and whose latents have the same size run together, the others group
        by group: no mask is ever needed, because pads are learned tokens that are attended.
        """
        groups: defaultdict[tuple[int, torch.Size], list[int]] = defaultdict(list)
        for item, (latent, caption) in enumerate(zip(latents, captions, strict=True)):
            groups[padded_length(len(caption)), latent.shape].append(item)
        velocities: dict[int, Tensor] = {}
        for (_, shape), items in groups.items():
            known = [captions[item].to(self.x_pad_token) for item in items]  # on the weights' device, in their type
            condition = self.prepare(known, (shape[-2], shape[-1]))
            velocity = self.flow(condition)(torch.stack([latents[item] for item in items]), sigma[items])
            velocities.update(zip(items, velocity, strict=True))
        ordered = [velocities[item] for item in range(len(velocities))]
        return torch.stack(ordered) if isinstance(latents, Tensor) else ordered

    def prepare(
        self,
        captions: Sequence[Float[Tensor, "_ f"]],
        latent_size: tuple[int, int],
        *,
        grid: Grid = UNIT_GRID,
        run: RunBlock = run_block,
    ) -> Condition:
        """Embed and refine captions that pad to one common length, for latents of (H, W) cells."""
        size = patch_grid(latent_size, self.config.patch_size)
        caption = torch.stack([self._embed_caption(features) for features in captions])  # (b, n, d)
        length = caption.shape[1]
        positions = caption_positions(length), image_positions(size, start=length + 1, grid=grid)
        caption_rope, image_rope = (
            rope_table(position, self.config.axes_dims, self.config.rope_theta).to(caption.device)
            for position in positions
        )
        stage = Stage("context_refiner", caption_rope, [Gains()] * self.config.n_refiner_layers, None)
        for index, block in enumerate(self.context_refiner):
            caption = run(stage, index, block, caption)
        return Condition(caption, size, image_rope, torch.cat((caption_rope, image_rope), dim=1))

    def flow(self, condition: Condition, sigmas: Iterable[float] = (), *, run: RunBlock = run_block) -> Velocity:
        """The velocity field of a prepared condition; the adaLN rows of a known schedule are computed here, once.

        This is the only place that knows the network's own conventions: its time is 1 − sigma, and it returns
        picture − noise. Everywhere else velocity means dx/dsigma = noise − picture.
        """
        dtype = condition.caption.dtype
        device = condition.caption.device
        known = {sigma: self.modulation(1 - torch.tensor([sigma], device=device), dtype) for sigma in sigmas}

        def velocity(x: Float[Tensor, "b c H W"], sigma: float | Tensor) -> Float[Tensor, "b c H W"]:
            modulation = known.get(sigma) if isinstance(sigma, float) else None
            if modulation is None:
                time = 1 - torch.as_tensor(sigma, dtype=torch.float32, device=device).reshape(-1)
                modulation = self.modulation(time, dtype)
            return -self.network(x.to(dtype), condition, modulation, run).to(x.dtype)

        return velocity

    def modulation(self, time: Float[Tensor, " b"], dtype: torch.dtype) -> Modulation:
        """The rows of network time (1 = clean) for every modulated block."""
        vector = self.t_embedder(time, dtype)  # (b, t)
        return Modulation(
            time=vector,
            noise_refiner=[block.gains(vector) for block in self.noise_refiner],
            layers=[block.gains(vector) for block in self.layers],
            final=self.final_layer.scale(vector),
        )

    def network(
        self,
        x: Float[Tensor, "b c H W"],
        condition: Condition,
        modulation: Modulation,
        run: RunBlock = run_block,
    ) -> Float[Tensor, "b c H W"]:
        """The raw network, picture − noise: refine the picture's tokens, join the caption's, run the layers."""
        image = self.x_embedder(patchify(x, self.config.patch_size))  # (b, n, d)
        n_patches = image.shape[1]
        image = _pad(image, self.x_pad_token, condition.image_rope.shape[1])
        stage = Stage("noise_refiner", condition.image_rope, modulation.noise_refiner, modulation.time)
        for index, block in enumerate(self.noise_refiner):
            image = run(stage, index, block, image)
        joint = torch.cat((condition.caption.expand(len(image), -1, -1), image), dim=1)
        stage = Stage("layers", condition.joint_rope, modulation.layers, modulation.time)
        for index, block in enumerate(self.layers):
            joint = run(stage, index, block, joint)
        start = condition.caption.shape[1]
        patches = self.final_layer(joint[:, start : start + n_patches], modulation.final)
        return unpatchify(patches, condition.size, self.config.patch_size)

    def _embed_caption(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "m d"]:
        embedded = self.cap_embedder(features[None])
        return _pad(embedded, self.cap_pad_token, padded_length(len(features)))[0]


def _pad(tokens: Float[Tensor, "b n d"], pad: Float[Tensor, "1 d"], length: int) -> Float[Tensor, "b m d"]:
    """Append the learned pad token up to `length`; cast here, since hosts may keep it elsewhere in another dtype."""
    pads = pad.to(tokens).expand(tokens.shape[0], length - tokens.shape[1], -1)
    return torch.cat((tokens, pads), dim=1)
