"""ComfyUI's own Train LoRA node on nano, in this process: the same pictures, as a user would give them to it."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zimage_core.model import S3DiT
from zimage_core.training.encoded import EncodedExample

from .comfyui import import_comfyui

SETTINGS = {
    **{"image_model": "lumina2", "patch_size": 2, "in_channels": 16, "qk_norm": True, "axes_lens": [1536, 512, 512]},
    **{"rope_theta": 256.0, "ffn_dim_multiplier": 8 / 3, "z_image_modulation": True, "time_scale": 1000.0},
    "pad_tokens_multiple": 32,
}


def train(dit: S3DiT, examples: Sequence[EncodedExample], **widgets: Any) -> Mapping[str, Tensor]:
    """The node's LORA_MODEL after training with these widgets; the others stand at their defaults."""
    model = _stock_model(dit)
    nodes: Any = importlib.import_module("comfy_extras.nodes_train")
    node = nodes.TrainLoraNode
    defaults = {each.id: each.default for each in node.define_schema().inputs if hasattr(each, "default")}
    chosen = {**defaults, "existing_lora": "[None]", **widgets}
    latents = [{"samples": example.picture.mean.float()[None]} for example in examples]
    captions = [[[example.captions[0].float()[None], {}]] for example in examples]
    output = node.execute(
        **{"model": [model], "latents": latents, "positive": captions},
        **{name: [value] for name, value in chosen.items() if name not in ("model", "latents", "positive")},
    )
    return output.args[0]


def _stock_model(dit: S3DiT, *, disable_dynamic: bool = True) -> Any:
    """A MODEL of ComfyUI's network with nano's weights; its time embedding is put in, as it has no setting there."""
    comfy: Any = import_comfyui(torch.device("cpu"))
    for name in ("model_base", "model_patcher", "supported_models", "ldm.modules.diffusionmodules.mmdit"):
        importlib.import_module(f"comfy.{name}")
    of = dit.config
    config = comfy.supported_models.ZImage(
        {
            **SETTINGS,
            **{"dim": of.dim, "n_layers": of.n_layers, "n_refiner_layers": of.n_refiner_layers},
            **{"n_heads": of.n_heads, "n_kv_heads": of.n_heads, "cap_feat_dim": of.cap_feat_dim},
            **{"axes_dims": list(of.axes_dims), "siglip_feat_dim": of.siglip_feat_dim},
        }
    )
    config.latent_format = _latents_as_they_are()
    config.set_inference_dtype(torch.float32, None)
    model = comfy.model_base.Lumina2(config)
    model.diffusion_model.t_embedder = comfy.ldm.modules.diffusionmodules.mmdit.TimestepEmbedder(
        of.time_hidden_dim, 256, output_size=of.adaln_dim, dtype=torch.float32, operations=comfy.ops.manual_cast
    )
    model.diffusion_model.load_state_dict(dit.state_dict())
    cpu = torch.device("cpu")
    patcher = comfy.model_patcher.CoreModelPatcher(model, load_device=cpu, offload_device=cpu)
    patcher.cached_patcher_init = (_stock_model, (dit,))  # by which the node makes its own copy
    return patcher


def _latents_as_they_are() -> Any:
    """A latent format that changes nothing: the examples are what the network sees."""
    flux = importlib.import_module("comfy.latent_formats").Flux()
    flux.scale_factor, flux.shift_factor = 1.0, 0.0
    return flux
