"""S3-DiT as ComfyUI calls it: the core's network with the host's attention, wrappers, patches and interruption."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from comfy.ldm.common_dit import pad_to_patch_size
from comfy.patcher_extension import WrapperExecutor, WrappersMP, get_all_wrappers
from torch import Tensor

from ....zimage_core.config import DiTConfig
from ....zimage_core.model import COMFYUI, Condition, OmniRules, Reference, S3DiT
from ....zimage_core.model.condition import NormWeights
from ....zimage_core.model.sequence import UNIT_GRID, Grid
from .blocks import OVERRIDE, STEADY, HostedBlocks, Options
from .conds import kept, memory_of
from .control_run import controlled
from .cuda_graphs import CUDA_GRAPHS, ModelCaptures


class ComfyS3DiT(S3DiT):
    """Takes what `comfy.model_base.Lumina2` hands its network; parameter names are the single-file checkpoint's."""

    def __init__(
        self, zimage: DiTConfig, operations: Any, device: Any = None, dtype: Any = None, **native: Any
    ) -> None:
        super().__init__(zimage, ops=operations, device=device, dtype=dtype)
        self.dtype = dtype  # what the host stores weights in; it decides by itself what to compute in

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """Velocity of latents (b, 16, h, w) at noise levels `timesteps`, inside whatever wrappers the graph added."""
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, kwargs.get("transformer_options", {}))
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        return executor.execute(x, timesteps, context, num_tokens, attention_mask, **kwargs)

    def _forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        transformer_options: Options = {},  # noqa: B006 - the host's signature; it is copied, never written
        ref_latents: Sequence[Tensor] = (),
        ref_contexts: Sequence[Tensor] = (),
        siglip_feats: Sequence[Tensor] = (),
        omni_rules: OmniRules = COMFYUI,  # what conditioning of stock nodes is meant for
        caption_lengths: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        if context.shape[-1] != self.config.cap_feat_dim:
            raise ValueError(
                f"The prompt's features are {context.shape[-1]} wide, but this model reads {self.config.cap_feat_dim}. "
                "Load the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano."
            )
        height, width = x.shape[-2:]
        # artists may pick odd sizes; the surplus is cropped again
        latent = pad_to_patch_size(x, (self.config.patch_size,) * 2)
        run = HostedBlocks({**transformer_options}, latent)
        grid = rope_grid(transformer_options)
        lengths = caption_lengths or [context.shape[1]] * len(context)
        captions = [caption[:length] for caption, length in zip(context, lengths, strict=True)]
        size = (latent.shape[-2], latent.shape[-1])
        key: tuple[Any, ...] = (tuple(lengths), size, grid)
        if not len(ref_latents):
            run.condition = self._prepared(context, run, key, lambda: self.prepare(captions, size, grid=grid, run=run))
        else:
            check_can_look(self, [each.shape[-1] for each in siglip_feats])
            padded = [pad_to_patch_size(each, (self.config.patch_size,) * 2) for each in ref_latents]
            chunks, references = items(captions, padded, ref_contexts, siglip_feats)
            seen = tuple(map(Same, (*ref_latents, *ref_contexts, *siglip_feats)))
            run.condition = self._prepared(
                context,
                run,
                (*key, omni_rules, seen),
                lambda: self.prepare_with_references(chunks, references, size, rules=omni_rules, grid=grid, run=run),
            )
        caption = run.condition.caption
        norms = kept(memory_of(context), "norms", lambda: self.norm_weights(caption))
        steered = controlled(run, x, timesteps)

        def step(latent: Tensor, sigma: Tensor, condition: Condition, norms: NormWeights) -> Tensor:
            return self.flow(condition, run=steered, norm_weights=norms)(latent, sigma)

        captures: ModelCaptures | None = transformer_options.get(CUDA_GRAPHS)
        inputs = (latent, timesteps), (run.condition, norms)
        velocity = step(*inputs[0], *inputs[1]) if captures is None else captures(self, run.options, step, *inputs)
        return velocity[..., :height, :width]

    def _prepared(
        self, context: Tensor, run: HostedBlocks, key: Hashable, prepare: Callable[[], Condition]
    ) -> Condition:
        """A run's condition, prepared at its first step; again at each where the attention inside may differ."""
        override = run.options.get(OVERRIDE)
        memory = memory_of(context) if override is None or hasattr(override, STEADY) else None
        return kept(memory, key, prepare)


@dataclass(frozen=True, eq=False)
class Same:
    """A tensor as part of a key: equal to itself alone, and kept, so that no other takes its place."""

    tensor: Tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.tensor is other.tensor

    def __hash__(self) -> int:
        return id(self.tensor)


def items(
    captions: Sequence[Tensor], latents: Sequence[Tensor], contexts: Sequence[Tensor], features: Sequence[Tensor]
) -> tuple[list[list[Tensor]], list[list[Reference]]]:
    """Chunks and references of every item of a batch; a reference without words or features has none."""
    nothing = captions[0][:0]
    before, after = contexts[: len(latents)], contexts[len(latents) :]
    chunks: list[list[Tensor]] = []
    references: list[list[Reference]] = []
    for index, caption in enumerate(captions):
        words = [each[index] for each in before] + [nothing] * (len(latents) - len(before))
        chunks.append([*words, caption, *(each[index] for each in after)])
        seen = [each[index] for each in features] + [None] * len(latents)
        references.append([Reference(each[index], grid) for each, grid in zip(latents, seen, strict=False)])
    return chunks, references


def check_can_look(network: Any, widths: Sequence[int] = ()) -> None:
    """Refuse pictures for a network, ours or native's, that was never taught to look or looks through other eyes."""
    embedder = getattr(network, "siglip_embedder", None)
    if embedder is None:
        raise ValueError(
            "This Z-Image model cannot look at reference pictures; only Omni and Edit checkpoints can, and Turbo and "
            "base are not among them. Load one of those, or set 'pictures' to 'ignore' in Z-Image Edit Encode to draw "
            "from the words alone."
        )
    for width in widths:
        if width != embedder[1].in_features:
            raise ValueError(
                f"The vision features are {width} wide, but this model reads {embedder[1].in_features}. Load the "
                "vision model that belongs to it: SigLIP 2 so400m NaFlex, or nano's for nano."
            )


def rope_grid(options: Options) -> Grid:
    """Positions as the ScaleROPE node asks for them."""
    asked = options.get("rope_options")
    if asked is None:
        return UNIT_GRID
    return Grid(
        scale=(asked.get("scale_y", 1.0), asked.get("scale_x", 1.0)),
        shift=(asked.get("shift_y", 0.0), asked.get("shift_x", 0.0)),
    )
