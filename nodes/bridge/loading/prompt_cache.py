"""Where encoded prompts are kept between runs, and what they depend on inside ComfyUI."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy import model_management
from torch import Tensor

from ....zimage_core.runtime.prompt_cache import FeatureStore, InMemory, OnDisk, digest_of, feature_key

MEMORY, DISK, OFF = "memory", "memory and disk", "off"
MEBIBYTE = 1 << 20
IN_MEMORY = InMemory(64 * MEBIBYTE)  # a prompt of 128 tokens takes 1.3 MB
DISK_LIMIT = 512 * MEBIBYTE
IDENTITY = "zimage_identity"  # our loader's name for the weights, on the network all clones of a CLIP share
OWN_PATCHES = {"manual_cast_dtype"}  # what ComfyUI itself sets on every CLIP

Conditioning = list[Any]


def encode(clip: Any, tokens: Mapping[str, Any], keep: str) -> Conditioning:
    """The conditioning of tokens, without waking the encoder where it was computed before."""
    source = None if keep == OFF else source_of(clip)
    if source is None:
        return clip.encode_from_tokens_scheduled(tokens)
    identity, is_lasting = source
    store = FeatureStore(IN_MEMORY, OnDisk(folder(), DISK_LIMIT) if keep == DISK and is_lasting else None)
    key = key_of(clip, tokens, identity)
    if key is None:
        return clip.encode_from_tokens_scheduled(tokens)
    if (found := store.get(key)) is not None:
        return conditioning_of(found)
    conditioning = clip.encode_from_tokens_scheduled(tokens)
    if (features := features_of(conditioning)) is not None:
        store.put(key, features)
    return conditioning


def folder() -> Path:
    """ComfyUI's own user folder, the part that its web server does not show."""
    system = getattr(folder_paths, "get_system_user_directory", None)
    place = Path(system("zimage")) if system else Path(folder_paths.get_user_directory()) / "__zimage"
    return place / "prompt_features"


def source_of(clip: Any) -> tuple[str, bool] | None:
    """Which weights a CLIP encodes with, and whether that name outlives this process; None if nobody can tell.

    Our loader names the file. Patches, and encoders of other loaders, have a name for as long as ComfyUI runs. Hooks,
    injections and replaced objects change an encoder without changing that name.
    """
    patcher = clip.patcher
    unknowable = (
        *(patcher.forced_hooks, patcher.hook_patches, patcher.injections, patcher.additional_models),
        *(clip.apply_hooks_to_conds, patcher.object_patches.keys() - OWN_PATCHES),
    )
    if any(unknowable):
        return None
    identity = getattr(clip.cond_stage_model, IDENTITY, "")
    if identity and not patcher.patches and not patcher.weight_wrapper_patches:
        return identity, True
    return str(patcher.patches_uuid), False


def key_of(clip: Any, tokens: Mapping[str, Any], identity: str) -> str | None:
    """A name for everything the conditioning depends on; tokens hold prompt, template, options and embeddings."""
    written = text_of(tokens)
    if written is None:
        return None
    from comfyui_version import __version__ as comfyui  # a module nobody else may have loaded yet

    device = clip.patcher.load_device
    return feature_key(
        {
            "tokens": written,
            "encoder": identity,
            "layer": repr(clip.layer_idx),
            "types": " ".join(sorted(map(str, clip.cond_stage_model.dtypes))),
            "device": f"{device} {model_management.get_torch_device_name(device)}",
            "programs": f"torch {torch.__version__}, ComfyUI {comfyui}",
        }
    )


def text_of(value: Any) -> str | None:
    """A value of numbers, text, lists, dictionaries and tensors, written out; None if there is anything else in it."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if isinstance(value, Tensor):
        return digest_of({"": value.detach().cpu().contiguous()})
    if isinstance(value, Mapping):
        value = ["by name", *(each for pair in sorted(value.items()) for each in pair)]
    if not isinstance(value, Sequence):
        return None
    written = [text_of(each) for each in value]
    return None if None in written else f"({', '.join(map(str, written))})"


def features_of(conditioning: Conditioning) -> dict[str, Tensor] | None:
    """A conditioning as tensors by name; None if it holds anything else, such as a schedule."""
    if len(conditioning) != 1:
        return None
    [[encoded, values]] = conditioning
    tensors = {name: value for name, value in values.items() if value is not None}
    if "pooled_output" not in values or None in [value for name, value in values.items() if name != "pooled_output"]:
        return None
    return {"cond": encoded, **tensors} if all(isinstance(each, Tensor) for each in tensors.values()) else None


def conditioning_of(features: Mapping[str, Tensor]) -> Conditioning:
    """The way back, on the device ComfyUI wants conditioning on."""
    device = model_management.intermediate_device()
    values: dict[str, Any] = {name: tensor.to(device) for name, tensor in features.items()}
    return [[values.pop("cond"), {"pooled_output": None, **values}]]
