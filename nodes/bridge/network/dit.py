"""S3-DiT as ComfyUI calls it: the core's network with ComfyUI's attention, wrappers, patches and interruption.

Letters: b batch, n tokens, f width of the text embeddings, gh gw vision patches down and across, s their width.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from comfy.ldm.common_dit import pad_to_patch_size
from comfy.patcher_extension import WrapperExecutor, WrappersMP, get_all_wrappers
from torch import Tensor

from ....zimage_core.config import DiTConfig
from ....zimage_core.model import COMFYUI, Condition, OmniRules, Reference, S3DiT
from ....zimage_core.model.condition import BaseNormWeights
from ....zimage_core.model.position_scaling import PositionScaling, with_scaled_positions
from ....zimage_core.model.sequence import UNIT_GRID, Grid
from ....zimage_core.model.target_context import ReferencePrompt, target_context
from .blocks import ATTENTION_OVERRIDE, STEP_INVARIANT, Options, PatchedBlocks
from .conditions import WEIGHTS_AT_STEP, RunCache, TensorIdentity, cached, run_cache_of
from .control_hints import with_control_hints
from .cuda_graphs import CUDA_GRAPHS, ModelCaptures
from .native_calls import as_native_block
from .native_names import name_block, network_names
from .negative_prompt import negative_prompt
from .region_loras import PlacedShares, everywhere, place, with_region_loras
from .regional_conditions import RunRegions
from .regional_prompts import prepare_regional
from .tiles import tile_of
from .unequal_prompts import hidden_fill, prepare_together, token_count

POSITIONS = "zimage_positions"  # key of a `PositionScaling` among transformer options
STACKS = ("noise_refiner", "context_refiner", "layers", "siglip_refiner")


class ComfyS3DiT(S3DiT):
    """Takes what `comfy.model_base.Lumina2` hands its network; parameter names are the single-file checkpoint's."""

    def __init__(
        self, zimage: DiTConfig, operations: Any, device: Any = None, dtype: Any = None, **native: Any
    ) -> None:
        super().__init__(zimage, ops=operations, device=device, dtype=dtype)
        self.dtype = dtype  # of the stored weights; ComfyUI decides which dtype to compute in
        for name, value in network_names(zimage).items():
            setattr(self, name, value)
        for name in STACKS:
            for index, block in enumerate(getattr(self, name, None) or ()):
                name_block(block, index, zimage)
                as_native_block(block)

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """Velocity of latents x (b, 16, h, w) at noise levels `timesteps` (b,) for text embeddings (b, n, f).

        It runs inside the wrappers that nodes added to the MODEL.
        """
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, kwargs.get("transformer_options", {}))
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        return executor.execute(x, timesteps, context, num_tokens, attention_mask, **kwargs)

    @with_region_loras
    def _forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor,
        num_tokens: Any = None,
        attention_mask: Any = None,
        ref_latents: Sequence[Tensor] = (),
        ref_contexts: Sequence[Tensor] = (),
        siglip_feats: Sequence[Tensor] = (),
        transformer_options: Options = {},  # noqa: B006 - ComfyUI's signature; it is copied, never written
        omni_rules: OmniRules | None = None,  # None: conditioning of stock nodes, which assumes ComfyUI's
        latents_alone: bool = False,  # whether references may lack vision features, whatever the network
        caption_lengths: Sequence[int] | None = None,
        regions: Sequence[RunRegions] = (),  # of every prompt in this call, those that act now
        **kwargs: Any,
    ) -> Tensor:
        """The same without wrappers."""
        if x.ndim != 4:
            raise ValueError(
                f"This latent has shape {tuple(x.shape)}, as a video's frames have; Z-Image draws single pictures. "
                "Use Z-Image Empty Latent, or decode the frames and encode them as a batch of pictures."
            )
        if context.shape[-1] != self.config.cap_feat_dim:
            raise ValueError(
                f"The prompt's features are {context.shape[-1]} wide, but this model reads {self.config.cap_feat_dim}. "
                "Load the text encoder that belongs to the model: qwen_3_4b.safetensors, or nano's for nano."
            )
        height, width = x.shape[-2:]
        # artists may pick odd sizes; the padding is cropped again
        latent = pad_to_patch_size(x, (self.config.patch_size,) * 2)
        blocks = PatchedBlocks({**transformer_options}, latent)
        lengths = caption_lengths or [context.shape[1]] * len(context)
        captions = [caption[:length] for caption, length in zip(context, lengths, strict=True)]
        size = (latent.shape[-2], latent.shape[-1])
        grid = rope_grid(transformer_options)
        key: tuple[Any, ...] = (tuple(lengths), size, grid, transformer_options.get(WEIGHTS_AT_STEP))
        run_cache = _condition_cache(context, blocks.options)
        references = None
        if len(ref_latents):
            rules = omni_rules or COMFYUI
            needs_branch = omni_rules is not None and not latents_alone
            siglip_feats = readable_features(self, siglip_feats, needs_branch=needs_branch)
            padded = [pad_to_patch_size(each, (self.config.patch_size,) * 2) for each in ref_latents]
            references = reference_prompt(captions, padded, ref_contexts, siglip_feats, rules)
            key += (rules, tuple(map(TensorIdentity, (*ref_latents, *ref_contexts, *siglip_feats))))
        context_of = references and partial(target_context, self, references, latent_size=size, grid=grid, run=blocks)
        shares: PlacedShares = {}
        if any(regions):
            tile = tile_of(transformer_options)
            prepare_regions = partial(
                prepare_regional, self, captions, regions, size, tile=tile, grid=grid, run=blocks, references=references
            )
            regional = cached(run_cache, (*key, regions, tile), prepare_regions)
            condition, blocks.bias, blocks.mask, image_at, shares = regional
            everywhere(shares)
        elif context_of is None:
            prepare = partial(self.prepare, latent_size=size, grid=grid, run=blocks)
            condition = cached(run_cache, key, partial(prepare_together, prepare, captions))
            tokens = [token_count(length) for length in lengths]
            blocks.mask, image_at = hidden_fill(tokens, condition), [1.0 + count for count in tokens]
        else:
            beside = cached(run_cache, key, partial(context_of, captions))
            condition, image_at = beside.condition, beside.image_at
        blocks.condition = condition
        blocks.negative = negative_prompt(
            self, blocks, blocks.options, timesteps, condition, image_at, run_cache, context_of
        )
        place(shares, condition)
        if blocks.negative is None:  # it has rotations of its own for the whole sequence
            blocks.condition = self._scaled_positions(condition, timesteps, transformer_options)
        base_norm_weights = cached(
            run_cache_of(context), "norms", partial(self.base_norm_weights, blocks.condition.caption)
        )
        run = with_control_hints(blocks, x, timesteps)

        def step(latent: Tensor, sigma: Tensor, condition: Condition, base_norm_weights: BaseNormWeights) -> Tensor:
            return self.flow(condition, run=run, base_norm_weights=base_norm_weights)(latent, sigma)

        # positions that change with the step would be captured anew at each; bias and shares are no inputs of a step
        is_captured = blocks.condition is condition and blocks.bias is None and not shares
        captures: ModelCaptures | None = transformer_options.get(CUDA_GRAPHS) if is_captured else None
        inputs = (latent, timesteps), (blocks.condition, base_norm_weights)
        velocity = step(*inputs[0], *inputs[1]) if captures is None else captures(self, blocks.options, step, *inputs)
        return velocity[..., :height, :width]

    def _scaled_positions(self, condition: Condition, sigma: Tensor, options: Options) -> Condition:
        """The condition with positions of this noise level where Z-Image Large Picture scales them; else itself."""
        scaling: PositionScaling | None = options.get(POSITIONS)
        if scaling is None or scaling.scale(condition.size) == 1:
            return condition
        return with_scaled_positions(condition, scaling, self.config.axes_dims, self.config.rope_theta, float(sigma[0]))


def _condition_cache(context: Tensor, options: Options) -> RunCache | None:
    """Where a run's condition is cached; nowhere if a node's attention may give another one at the next step."""
    override = options.get(ATTENTION_OVERRIDE)
    return run_cache_of(context) if override is None or hasattr(override, STEP_INVARIANT) else None


def reference_prompt(
    captions: Sequence[Tensor],
    latents: Sequence[Tensor],
    contexts: Sequence[Tensor],
    features: Sequence[Tensor],
    rules: OmniRules,
) -> ReferencePrompt:
    """What every item of a batch has beside its caption (n, f).

    Latents (b, 16, h, w), contexts (b, n, f) and features (b, gh, gw, s) have one entry per reference; contexts may
    have one more, the closing chunk; missing contexts and features count as empty.
    """
    empty = captions[0][:0]
    missing = [None] * len(latents)
    before: list[list[Tensor]] = []
    after: list[list[Tensor]] = []
    references: list[list[Reference]] = []
    for index in range(len(captions)):
        texts = [each[index] for each in contexts]
        before.append([*texts[: len(latents)], *[empty] * (len(latents) - len(texts))])
        after.append(texts[len(latents) :])
        grids = [*(each[index] for each in features), *missing]
        references.append([Reference(each[index], grid) for each, grid in zip(latents, grids, strict=False)])
    return ReferencePrompt(before=before, after=after, references=references, rules=rules)


def readable_features(network: Any, features: Sequence[Tensor], *, needs_branch: bool) -> Sequence[Tensor]:
    """The vision features (b, gh, gw, s) of references that a network can read.

    A network without a vision branch runs on latents alone where that is wanted: on stock conditioning, as ComfyUI's
    own does, and where Z-Image Edit Encode says so, as a LoRA may have been trained to. Else it is refused
    (ValueError).
    """
    if not needs_branch and not has_vision_branch(network):
        return ()
    check_supports_references(network, [each.shape[-1] for each in features])
    return features


def has_vision_branch(network: Any) -> bool:
    """Whether a network, ours or ComfyUI's, reads vision features, as those of Omni and Edit do."""
    return getattr(network, "siglip_embedder", None) is not None


def check_supports_references(network: Any, widths: Sequence[int] = ()) -> None:
    """Refuse reference images if a network, ours or ComfyUI's, has no vision branch or one of another width."""
    embedder = getattr(network, "siglip_embedder", None)
    if embedder is None:
        raise ValueError(
            "This Z-Image model cannot look at reference pictures; only Omni and Edit checkpoints can, and Turbo and "
            "base are not among them. Load one of those. With a LoRA that was trained on pairs, set 'pictures' in "
            "Z-Image Edit Encode to 'look at their latents'; with 'ignore' it draws from the words alone."
        )
    for width in widths:
        if width != embedder[1].in_features:
            raise ValueError(
                f"The vision features are {width} wide, but this model reads {embedder[1].in_features}. Load the "
                "vision model that belongs to it: SigLIP 2 so400m NaFlex, or nano's for nano."
            )


def rope_grid(options: Options) -> Grid:
    """Scale and shift of positions as the ScaleROPE node sets them."""
    rope_options = options.get("rope_options")
    if rope_options is None:
        return UNIT_GRID
    return Grid(
        scale=(rope_options.get("scale_y", 1.0), rope_options.get("scale_x", 1.0)),
        shift=(rope_options.get("shift_y", 0.0), rope_options.get("shift_x", 0.0)),
    )
