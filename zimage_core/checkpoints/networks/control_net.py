"""Fun ControlNets in files: their names there, their key layouts, their widths and releases."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ...adapters.control.network import ControlNet
from ...config import ControlConfig
from ..formats.packed import StoredTensor
from .dit import ATTENTION_DIFFUSERS, DIT
from .key_layout import KeyLayout, Rename
from .network_spec import NetworkSpec
from .shapes import Shapes, count_blocks, ffn_width
from .signature import FileSignature

PICTURE_PATCH = 64  # values in a patch of 1.0, which has the control picture's channels alone
PROJECTIONS = tuple(f"control_noise_refiner.0.{name}_proj.weight" for name in ("before", "after"))
USE_CONTROL_NODE = "load it with Z-Image Load ControlNet or another ControlNet node for Z-Image, beside the model"

EMBEDDER = Rename("control_all_x_embedder.2-1.*", "control_x_embedder.*")

CONTROL_PUBLISHED = KeyLayout(
    "diffusers", unique_key="control_layers.0.attention.to_q.weight", rules=(EMBEDDER, *ATTENTION_DIFFUSERS)
)

CONTROL_FUSED = KeyLayout(  # as ComfyUI holds it, with one matrix for q, k and v
    "single file", unique_key="control_layers.0.attention.qkv.weight", rules=(EMBEDDER,)
)

RELEASES = tuple(  # by the number of control layers: 15, 15, 6 and 3
    FileSignature(
        ("control_all_x_embedder.", *pieces), f"a Z-Image Fun ControlNet {version}", "model_patches", USE_CONTROL_NODE
    )
    for pieces, version in (
        (("control_layers.14.", "control_noise_refiner.0.after_proj."), "2.1, or 2.0 with an idle refiner"),
        (("control_layers.14.",), "2.0"),
        (("control_layers.4.",), "1.0"),
        ((), "2.1 lite"),
    )
)


def read_config(shapes: Shapes) -> ControlConfig:
    """Widths of a Fun ControlNet; a 2.0 file with an idle refiner has the shapes of 2.1."""
    dim, patch_dim = shapes["control_x_embedder.weight"].shape
    first = "control_layers.0."
    gives_hints = all(key in shapes for key in PROJECTIONS)
    refiner = "control_noise_refiner" if gives_hints else "plain" if patch_dim == PICTURE_PATCH else "control_layers"
    return ControlConfig(
        dim=dim,
        n_layers=count_blocks(shapes, "control_layers"),
        n_refiner_layers=0 if refiner == "control_layers" else count_blocks(shapes, "control_noise_refiner"),
        n_heads=dim // len(shapes[first + "attention.q_norm.weight"]),
        ffn_dim=ffn_width(shapes, first + "feed_forward.w1.weight", first + "feed_forward.w2.weight"),
        adaln_dim=shapes[first + "adaLN_modulation.0.weight"].shape[1],
        in_channels=patch_dim // 4,
        refiner=refiner,
    )


def correct_config(config: ControlConfig, tensors: Mapping[str, StoredTensor]) -> ControlConfig:
    """2.0 instead of 2.1 where a projection of the refiner is all zeros: 2.0 files carry a refiner that is not used."""
    projections = [tensors.get(key) for key in PROJECTIONS]
    is_idle = any(isinstance(each, Tensor) and not each.float().any() for each in projections)
    if config.refiner == "control_noise_refiner" and is_idle:
        return replace(config, refiner="control_layers", n_refiner_layers=0)
    return config


def idle_refiner(config: ControlConfig) -> tuple[str, ...]:
    """The keys of the refiner where the control layers do its work."""
    return ("control_noise_refiner.",) if config.refiner == "control_layers" else ()


CONTROL = NetworkSpec(
    name="ControlNet",
    folder="model_patches",
    other_folders=("controlnet",),  # where many keep them, though ComfyUI's own loader looks in model_patches
    subfolder="controlnet",
    example="Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors",
    name_hints=DIT.name_hints,  # ControlNets of other models are in the same folders
    prefixes=("control_model.", ""),
    layouts=(CONTROL_PUBLISHED, CONTROL_FUSED),
    block_lists=("control_layers",),
    releases=RELEASES,
    read_config=read_config,
    correct_config=correct_config,
    unused=idle_refiner,
    build=ControlNet,
)
