"""Fun ControlNets as ComfyUI's MODEL_PATCH: files into managed networks, and stock-loaded ones into ours."""

from typing import Any

import comfy.model_patcher
import comfy.ops
from comfy import model_management

from ....zimage_core.adapters.control.network import ControlBlock, ControlNet
from ....zimage_core.checkpoints import CONTROL
from ....zimage_core.config import ControlConfig
from ....zimage_core.model import Block
from ....zimage_core.ops import Layers
from ..network.attach import build_block, build_module
from .weights import load_weights, open_file

NATIVE_PARTS = ("control_layers", "control_noise_refiner", "control_all_x_embedder", "refiner_control")


def load_control(path: str, disable_dynamic: bool = False) -> Any:
    """The MODEL_PATCH of a file: a patcher, so that ComfyUI counts, loads and offloads it."""
    opened = open_file(path, CONTROL)
    offload_device = model_management.unet_offload_device()
    dtype = opened.weights.storage_dtype()
    network = ControlNet(opened.config, ops=comfy.ops.manual_cast, device=offload_device, dtype=dtype)
    kind = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = kind(network.eval(), load_device=model_management.get_torch_device(), offload_device=offload_device)
    load_weights(network, opened, dtype=dtype, assign=patcher.is_dynamic())
    patcher.cached_patcher_init = (load_control, (path,))
    return patcher


def control_net_of(model_patch: Any) -> ControlNet:
    """Our network of a MODEL_PATCH, assembled around native's layers where the stock loader loaded it."""
    network = getattr(model_patch, "model", None)
    if isinstance(network, ControlNet):
        return network
    if not all(hasattr(network, part) for part in NATIVE_PARTS):
        raise ValueError(
            f"This model patch is a {type(network).__name__}, not a Z-Image ControlNet. "
            f"Load a file like {CONTROL.example} with Z-Image Load ControlNet."
        )
    return _around_native(network)


def _around_native(native: Any) -> ControlNet:
    """Our network around native's layers. Nothing is copied, so ComfyUI keeps managing their memory."""
    config = _config_of(native)
    refiner = [] if config.refiner == "control_layers" else native.control_noise_refiner
    return build_module(
        ControlNet,
        {
            "config": config,
            "control_x_embedder": native.control_all_x_embedder["2-1"],
            "control_noise_refiner": Layers(_block(each, config) for each in refiner),
            "control_layers": Layers(_block(each, config) for each in native.control_layers),
        },
    )


def _block(native: Any, config: ControlConfig) -> Block:
    """One block, with the projections it has."""
    inner = build_block(native, config.blocks)
    projections = {name: getattr(native, name) for name in ("before_proj", "after_proj") if hasattr(native, name)}
    return build_module(ControlBlock, {**dict(inner.named_children()), **projections}) if projections else inner


def _config_of(native: Any) -> ControlConfig:
    """Widths from native's attributes, since its weights may not be in memory yet."""
    first = native.control_layers[0]
    is_shared = native.refiner_control and native.broken  # native's word for 2.0, whose own refiner is zeros
    hinting = "control_layers" if is_shared else "control_noise_refiner"
    return ControlConfig(
        dim=first.after_proj.in_features,
        n_layers=len(native.control_layers),
        n_refiner_layers=0 if is_shared else len(native.control_noise_refiner),
        n_heads=first.attention.n_local_heads,
        ffn_dim=first.feed_forward.w1.out_features,
        adaln_dim=first.adaLN_modulation[0].in_features,
        in_channels=native.control_in_dim + native.additional_in_dim,
        refiner=hinting if native.refiner_control else "plain",
    )
