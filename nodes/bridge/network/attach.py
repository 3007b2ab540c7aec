"""Attaches our forward to a Z-Image MODEL of ComfyUI's stock loader, as object patches on a clone.

No weights are copied: our modules are built around the stock network's own layers (here "native"), so ComfyUI's memory
management, LoRA and quantization act on them as before. Native query and key norms keep their smaller epsilon.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ....zimage_core.config import DiTConfig
from ....zimage_core.model import Block, S3DiT
from ....zimage_core.model.block import FinalLayer, SelfAttention, SwiGLU
from ....zimage_core.model.embed import TimestepEmbedder
from ....zimage_core.ops import Layers
from .conditions import zimage_conditions
from .dit import ComfyS3DiT
from .native_calls import NATIVE

DIFFUSION_MODEL = "diffusion_model"  # ComfyUI's name for the network inside a MODEL
FORWARD = "_forward"  # the method that runs inside ComfyUI's wrappers, which `forward` calls
FORWARD_PATCH = f"{DIFFUSION_MODEL}.{FORWARD}"  # object patch of that method
CONDITIONS_PATCH = "extra_conds"  # object patch of the method that ComfyUI calls once a run for conditions

Kind = TypeVar("Kind", bound=nn.Module)

BLOCK_PARTS = ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2")
REQUIRED_PARTS = (
    "x_embedder",
    "cap_embedder",
    "t_embedder",
    "noise_refiner",
    "context_refiner",
    "layers",
    "final_layer",
)


def attach(model: Any) -> Any:
    """A clone of a stock Z-Image MODEL that runs our forward; the model itself stays as it is."""
    native = model.get_model_object(DIFFUSION_MODEL)
    if isinstance(native, S3DiT):
        return model  # loaded by this pack
    check_is_zimage(native, type(model.model).__name__)
    clone = model.clone()
    patch_forward(clone, AttachedS3DiT(native))
    clone.add_object_patch(CONDITIONS_PATCH, partial(extra_conds, model.model))
    return clone


def patch_forward(clone: Any, network: "AttachedS3DiT") -> None:
    """Let a MODEL run an attached network's forward."""
    clone.add_object_patch(FORWARD_PATCH, getattr(network, FORWARD))


def remove_attachment(clone: Any) -> None:
    """Remove the object patches of `attach` from a MODEL whose layers were exchanged: they refer to the former ones."""
    for key in (FORWARD_PATCH, CONDITIONS_PATCH):
        clone.object_patches.pop(key, None)


def running_network(model: Any) -> Any:
    """The network whose forward runs for a MODEL: the attached one, else the MODEL's own."""
    network = model.get_model_object(DIFFUSION_MODEL)
    return getattr(model.object_patches.get(FORWARD_PATCH), "__self__", network)


def extra_conds(model: Any, **kwargs: Any) -> dict[str, Any]:
    """`BaseModel.extra_conds` of a stock model, in the form our network takes."""
    return zimage_conditions(model, type(model).extra_conds(model, **kwargs), **kwargs)


class AttachedS3DiT(ComfyS3DiT):
    """Our network around native layers. It is never trained, saved or moved: ComfyUI does that to the native one."""

    native: Any

    def __init__(self, native: Any) -> None:
        nn.Module.__init__(self)
        self.config = config_of(native)
        self.__dict__["native"] = native  # not a submodule, so that no parameter is listed twice
        self.x_embedder, self.cap_embedder = native.x_embedder, native.cap_embedder
        self.t_embedder = build_module(TimestepEmbedder, {"mlp": native.t_embedder.mlp})
        self.noise_refiner = build_blocks(native.noise_refiner, self.config)
        self.context_refiner = build_blocks(native.context_refiner, self.config)
        self.layers = build_blocks(native.layers, self.config)
        final = native.final_layer
        parts = {"norm_final": final.norm_final, "linear": final.linear, "adaLN_modulation": final.adaLN_modulation}
        self.final_layer = build_module(FinalLayer, parts)
        if self.config.siglip_feat_dim is not None:
            self.siglip_embedder = native.siglip_embedder
            self.siglip_refiner = build_blocks(native.siglip_refiner, self.config)

    @property
    def x_pad_token(self) -> Tensor:  # type: ignore[override]
        """Read at every use, because ComfyUI may have moved or patched it."""
        return self.native.x_pad_token

    @property
    def cap_pad_token(self) -> Tensor:  # type: ignore[override]
        """Likewise."""
        return self.native.cap_pad_token

    @property
    def siglip_pad_token(self) -> Tensor:  # type: ignore[override]
        """Likewise."""
        return self.native.siglip_pad_token


def with_compiled_blocks(network: AttachedS3DiT) -> AttachedS3DiT:
    """The same layers with our blocks compiled; ComfyUI's own wrapper would compile the native blocks."""
    fresh = AttachedS3DiT(network.native)
    fresh.layers = Layers(cast("Block", torch.compile(each, backend="inductor")) for each in fresh.layers)
    return fresh


def build_module(kind: type[Kind], parts: Mapping[str, Any]) -> Kind:
    """A module of one of our classes from existing layers, without running its constructor."""
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def build_blocks(natives: Any, config: DiTConfig) -> Layers[Block]:
    """Our blocks around a native stack of blocks."""
    return Layers(build_block(native, config) for native in natives)


def build_block(native: Any, config: DiTConfig) -> Block:
    """Our block around a native block's layers; only modulated ones have adaLN."""
    feed_forward = {name: getattr(native.feed_forward, name) for name in ("w1", "w2", "w3")}
    attention = {name: getattr(native.attention, name) for name in ("qkv", "out", "q_norm", "k_norm")}
    parts: dict[str, Any] = {name: getattr(native, name) for name in BLOCK_PARTS}
    parts["attention"] = build_module(SelfAttention, {**attention, "n_heads": config.n_heads})
    parts["feed_forward"] = build_module(SwiGLU, feed_forward)
    if hasattr(native, "adaLN_modulation"):
        parts["adaLN_modulation"] = native.adaLN_modulation
    block = build_module(Block, parts)
    block.__dict__[NATIVE] = native  # not a submodule
    return block


def config_of(native: Any) -> DiTConfig:
    """Network widths from native attributes, since the weights may not be in memory yet."""
    return DiTConfig(
        dim=native.dim,
        n_layers=len(native.layers),
        n_refiner_layers=len(native.noise_refiner),
        n_heads=native.n_heads,
        ffn_dim=native.layers[0].feed_forward.w1.out_features,
        cap_feat_dim=native.cap_embedder[1].in_features,
        time_hidden_dim=native.t_embedder.mlp[0].out_features,
        adaln_dim=native.t_embedder.mlp[2].out_features,
        siglip_feat_dim=None if native.siglip_embedder is None else native.siglip_embedder[1].in_features,
        in_channels=native.in_channels,
        patch_size=native.patch_size,
    )


def check_is_zimage(native: Any, name: str) -> None:
    """Raise a ValueError if a network does not have the structure of Z-Image's."""
    missing = [part for part in REQUIRED_PARTS if not hasattr(native, part)]
    is_zimage = not missing and getattr(native, "pad_tokens_multiple", None) == 32 and not hasattr(native, "dec_net")
    if not is_zimage or not isinstance(native.layers[0].adaLN_modulation[0], nn.Linear):
        found = f"it has no {missing[0]}" if missing else "its layers are put together in another way"
        raise ValueError(
            f"This model is {name}, not a Z-Image diffusion model: {found}. "
            "Load a Z-Image file with Load Diffusion Model."
        )
