"""ComfyUI's native Z-Image network and MODEL with small random weights, for comparison with ours."""

from dataclasses import replace
from typing import Any

import comfy.ldm.lumina.model
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import torch
from safetensors.torch import save_file

import tiny
from zimage_core.config import DiTConfig
from zimage_core.model import S3DiT

# The smallest widths NextDiT supports: its time embedding is fixed at 256, its FFN width is a multiple of 256.
CONFIG = DiTConfig(
    dim=256, n_layers=2, n_refiner_layers=2, n_heads=8, ffn_dim=768, cap_feat_dim=64, time_hidden_dim=256, adaln_dim=256
)
OMNI = replace(CONFIG, siglip_feat_dim=40)


def settings(config: DiTConfig = CONFIG) -> dict[str, Any]:
    """The config as NextDiT's keyword arguments."""
    return {
        "image_model": "lumina2",
        "patch_size": 2,
        "in_channels": 16,
        "dim": config.dim,
        "n_layers": config.n_layers,
        "n_refiner_layers": config.n_refiner_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.n_heads,
        "ffn_dim_multiplier": 8 / 3,
        "qk_norm": True,
        "cap_feat_dim": config.cap_feat_dim,
        "axes_dims": list(config.axes_dims),
        "axes_lens": [1536, 512, 512],
        "rope_theta": 256.0,
        "z_image_modulation": True,
        "time_scale": 1000.0,
        "pad_tokens_multiple": 32,
        "siglip_feat_dim": config.siglip_feat_dim,
    }


def weights(config: DiTConfig = CONFIG) -> dict[str, torch.Tensor]:
    """Random weights; both networks use the same parameter names."""
    return tiny.fill(S3DiT(config), 5).state_dict()


def network(config: DiTConfig = CONFIG) -> torch.nn.Module:
    """ComfyUI's NextDiT."""
    arguments = {key: value for key, value in settings(config).items() if key != "image_model"}
    model = comfy.ldm.lumina.model.NextDiT(
        **arguments, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init
    )
    model.load_state_dict(weights(config))
    return model.eval()


def model(config: DiTConfig = CONFIG, disable_dynamic: bool = False):
    """A stock MODEL, as created by UNETLoader."""
    model_config = comfy.supported_models.ZImage(settings(config))
    model_config.set_inference_dtype(torch.float32, None)
    base = comfy.model_base.Lumina2(model_config)
    base.load_model_weights(weights(config), "")
    cpu = torch.device("cpu")
    patcher = comfy.model_patcher.CoreModelPatcher(base, load_device=cpu, offload_device=cpu)
    patcher.cached_patcher_init = (model, (config,))
    return patcher


def ours(pack, folder, config: DiTConfig = CONFIG):
    """Our MODEL with the same weights, from our loader."""
    file = folder / "z_image.safetensors"
    save_file(weights(config), file)
    return pack.bridge_model.load_model(str(file))


def conditioning(n: int, seed: int):
    """Random CONDITIONING, as output by a text-encode node."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(1, n, CONFIG.cap_feat_dim, generator=generator), {"pooled_output": None}]]
