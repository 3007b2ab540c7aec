"""A checkpoint becomes a real ComfyUI MODEL: managed memory, LoRA, patches and all.

The classes derive from ComfyUI's own Z-Image classes because their types decide LoRA key maps and conditioning.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import torch
from comfy import model_management
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....zimage_core.checkpoints import DIT
from ....zimage_core.checkpoints.load import cast
from ....zimage_core.checkpoints.weights import Weights
from ....zimage_core.config import NANO_DIT, NANO_OMNI_DIT, TIME_SCALE, DiTConfig
from ....zimage_core.model.sequence import padded_length
from ..network.conditions import zimage_conditions
from ..network.dit import ComfyS3DiT
from ..network.nano_latents import NanoLatents
from ..network.nano_sizes import KEY, warn_of_size
from ..network.regional_conditions import REGIONS_KEY, captions_shape
from ..network.step_memory import CELLS_PER_TOKEN, step_memory
from .host import int8_refusal
from .repack import int8_form, is_int8_already
from .weights import MIXED_PRECISION, load_weights, loadable_packed, open_file

LOGGER = logging.getLogger("zimage")
FP16_SAFE_SPREAD = 0.42  # ComfyUI's rule: float16 only where a late norm's weights vary less than this


class ZImageModelConfig(comfy.supported_models.ZImage):
    """ComfyUI's Z-Image settings with our network."""

    def get_model(self, state_dict: Mapping[str, Tensor], prefix: str = "", device: Any = None) -> "ZImageModel":
        return ZImageModel(self, device=device)


class ZImageModel(comfy.model_base.Lumina2):
    """ComfyUI's Z-Image model around our network."""

    def __init__(self, model_config: ZImageModelConfig, device: Any = None) -> None:
        flow = comfy.model_base.ModelType.FLOW
        comfy.model_base.BaseModel.__init__(self, model_config, flow, device=device, unet_model=ComfyS3DiT)
        self.memory_usage_factor_conds = ("ref_latents",)

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        """Native's conditions, with captions in the form that lets prompts of one padded length run together."""
        return zimage_conditions(self, super().extra_conds(**kwargs), **kwargs)

    def memory_required(self, input_shape: Any, cond_shapes: Mapping[str, Any] = {}) -> float:  # noqa: B006 - ComfyUI's
        """Bytes of an evaluation, counted, where attention keeps no scores; ComfyUI's estimate if that is less."""
        estimate = super().memory_required(input_shape, cond_shapes=cond_shapes)
        if not (model_management.xformers_enabled() or model_management.pytorch_attention_flash_attention()):
            return estimate
        config, has_int8 = self.diffusion_model.config, self.model_config.quant_config is not None
        references, regions = cond_shapes.get("ref_latents") or (), cond_shapes.get(REGIONS_KEY) or ()
        memory = step_memory(config, self.get_dtype_inference(), has_int8, input_shape, references, regions)
        return min(estimate, memory.reserved)

    def extra_conds_shapes(self, **kwargs: Any) -> dict[str, Any]:
        """Native's estimate of references, with their vision features: each is a token, as four latent cells are.

        Of regions the number, and the tokens of all their captions.
        """
        shapes = super().extra_conds_shapes(**kwargs)
        if regions := kwargs.get(REGIONS_KEY):
            shapes[REGIONS_KEY] = captions_shape(regions)
        features = [each for each in kwargs.get("clip_vision_outputs") or () if each is not None]
        if "ref_latents" in shapes:
            *batch_and_channels, cells = shapes["ref_latents"]
            tokens = sum(padded_length(each.last_hidden_state.shape[1]) for each in features)
            shapes["ref_latents"] = [*batch_and_channels, cells + CELLS_PER_TOKEN * tokens]
        return shapes


def load_model(
    path: str, dtype: torch.dtype | None = None, is_int8: bool = False, disable_dynamic: bool = False
) -> Any:
    """The MODEL of a checkpoint file. ComfyUI calls this again when it clones the model to another device.

    Asking for a `dtype` unpacks quantized weights to it. `is_int8` quantizes the main layers' matrices, whatever their
    format in the file; everything else is the same. Where ComfyUI has no int8 layers, the file is loaded as it is.
    """
    refusal = int8_refusal()
    if is_int8 and refusal:
        LOGGER.warning("Z-Image: %s is loaded as it is, not in int8, because %s", Path(path).name, refusal)
        is_int8 = False
    opened = open_file(path, DIT)
    weights = opened.weights
    packed = loadable_packed(opened) if dtype is None else set[str]()
    if is_int8:
        packed = {key for key in packed if is_int8_already(weights.tensors[key])}
    model_config = ZImageModelConfig(unet_config(opened.config, weights))
    is_nano = opened.config in (NANO_DIT, NANO_OMNI_DIT)
    if is_nano:
        model_config.latent_format = NanoLatents()
    model_config.quant_config = MIXED_PRECISION if packed or is_int8 else None
    load_device, offload_device = model_management.get_torch_device(), model_management.unet_offload_device()
    choose_dtype(model_config, weights, load_device, dtype)
    model = model_config.get_model({})
    kind = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = kind(model, load_device=load_device, offload_device=offload_device)
    if not model_management.is_device_cpu(offload_device):
        model.to(offload_device)
    load_weights(
        model.diffusion_model,
        opened,
        dtype=model_config.unet_config["dtype"],
        packed=packed,
        assign=patcher.is_dynamic(),
        convert_block=int8_form if is_int8 else dict,
    )
    if is_nano:
        patcher.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, warn_of_size)
    patcher.cached_patcher_init = (load_model, (path, dtype, is_int8))
    return patcher


def source_of(model: Any) -> str | None:
    """The path of a MODEL's file, where its loader can load it again; else None."""
    if model.cached_patcher_init is None:
        return None
    load, arguments, *_ = model.cached_patcher_init
    is_known = load in (load_model, comfy.sd.load_diffusion_model, comfy.sd.load_checkpoint_guess_config)
    return str(arguments[0]) if is_known else None


def unet_config(config: DiTConfig, weights: Weights) -> dict[str, Any]:
    """The `unet_config` ComfyUI would have detected, which LoRA key maps read, and our own config."""
    late_norm = cast(
        weights.tensors[f"layers.{max(0, config.n_layers - 2)}.ffn_norm1.weight"], torch.float32, (config.dim,)
    )
    return {
        "image_model": "lumina2",
        "patch_size": config.patch_size,
        "in_channels": config.in_channels,
        "dim": config.dim,
        "n_layers": config.n_layers,
        "n_refiner_layers": config.n_refiner_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_heads,
        "axes_dims": list(config.axes_dims),
        "rope_theta": config.rope_theta,
        "cap_feat_dim": config.cap_feat_dim,
        "time_scale": TIME_SCALE,
        "z_image_modulation": True,
        "qk_norm": True,
        "allow_fp16": late_norm.std(unbiased=False).item() < FP16_SAFE_SPREAD,
        "siglip_feat_dim": config.siglip_feat_dim,
        "zimage": config,
    }


def choose_dtype(
    model_config: ZImageModelConfig,
    weights: Weights,
    device: torch.device,
    dtype: torch.dtype | None,
) -> None:
    """Let ComfyUI choose how weights are stored and computed with, unless the user did."""
    supported = list(model_config.supported_inference_dtypes)
    is_packed = model_config.quant_config is not None  # packed layers have their own storage types
    stored = dtype or model_management.unet_dtype(
        model_params=weights.n_parameters,
        supported_dtypes=supported,
        weight_dtype=None if is_packed else weights.storage_dtype(),
    )
    computed = model_management.unet_manual_cast(None if is_packed else stored, device, supported)
    model_config.set_inference_dtype(stored, computed)
