"""The cache of prompt embeddings inside ComfyUI: where it is, and what its keys are made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import folder_paths
import torch
from comfy import model_management
from torch import Tensor

from ....zimage_core.runtime.prompt_cache import (
    DiskCache,
    Embeddings,
    MemoryCache,
    PromptCache,
    cache_key,
    digest_of,
)

MEMORY, DISK, OFF = "memory", "memory and disk", "off"
MEBIBYTE = 1 << 20
MEMORY_CACHE = MemoryCache(64 * MEBIBYTE)  # a prompt of 128 tokens takes 1.3 MB
DISK_LIMIT = 512 * MEBIBYTE
IDENTITY = "zimage_identity"  # attribute on the network that all clones of a CLIP share: its file's identity
COMFYUI_PATCHES = {"manual_cast_dtype"}  # object patches that ComfyUI itself sets on every CLIP

Conditioning = list[Any]


def encode(clip: Any, tokens: Mapping[str, Any], choice: str) -> Conditioning:
    """The conditioning of tokens, from the cache where it holds it; `choice` is `MEMORY`, `DISK` or `OFF`."""
    identity = None if choice == OFF else encoder_identity(clip)
    key = None if identity is None else key_of(clip, tokens, identity.name)
    if identity is None or key is None:
        return clip.encode_from_tokens_scheduled(tokens)
    is_on_disk = choice == DISK and identity.outlives_process
    cache = PromptCache(MEMORY_CACHE, DiskCache(cache_folder(), DISK_LIMIT) if is_on_disk else None)
    if (cached := cache.get(key)) is not None:
        return to_conditioning(cached)
    conditioning = clip.encode_from_tokens_scheduled(tokens)
    if (embeddings := from_conditioning(conditioning)) is not None:
        cache.put(key, embeddings)
    return conditioning


def cache_folder() -> Path:
    """A folder among ComfyUI's system user folders, which its web server does not serve."""
    system = getattr(folder_paths, "get_system_user_directory", None)
    parent = Path(system("zimage")) if system else Path(folder_paths.get_user_directory()) / "__zimage"
    return parent / "prompt_features"


class EncoderIdentity(NamedTuple):
    """A name that changes with the weights of a text encoder."""

    name: str
    outlives_process: bool  # the same weights have the same name after ComfyUI restarts


def encoder_identity(clip: Any) -> EncoderIdentity | None:
    """Which weights a CLIP encodes with; None if there is no name that changes whenever they do.

    Weights of our loader are named after their file. Patched ones and those of other loaders have ComfyUI's patch id,
    which is random in every process. Hooks, injections and object patches change an encoder without changing that id.
    """
    patcher = clip.patcher
    untracked = (
        *(patcher.forced_hooks, patcher.hook_patches, patcher.injections, patcher.additional_models),
        *(clip.apply_hooks_to_conds, patcher.object_patches.keys() - COMFYUI_PATCHES),
    )
    if any(untracked):
        return None
    identity = getattr(clip.cond_stage_model, IDENTITY, "")
    if identity and not patcher.patches and not patcher.weight_wrapper_patches:
        return EncoderIdentity(identity, outlives_process=True)
    return EncoderIdentity(str(patcher.patches_uuid), outlives_process=False)


def key_of(clip: Any, tokens: Mapping[str, Any], identity: str) -> str | None:
    """The cache key of a conditioning; None if the tokens hold anything that cannot be written out.

    The tokens cover prompt, template, options and textual inversions.
    """
    token_text = canonical_text(tokens)
    if token_text is None:
        return None
    from comfyui_version import __version__ as comfyui  # may not be loaded before

    device = clip.patcher.load_device
    return cache_key(
        {
            "tokens": token_text,
            "encoder": identity,
            "layer": repr(clip.layer_idx),
            "types": " ".join(sorted(map(str, clip.cond_stage_model.dtypes))),
            "device": f"{device} {model_management.get_torch_device_name(device)}",
            "programs": f"torch {torch.__version__}, ComfyUI {comfyui}",
        }
    )


def canonical_text(value: Any) -> str | None:
    """Numbers, text, lists, dictionaries and tensors as one string; None if the value holds anything else."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if isinstance(value, Tensor):
        return digest_of({"": value.detach().cpu().contiguous()})
    if isinstance(value, Mapping):
        value = ["by name", *(each for pair in sorted(value.items()) for each in pair)]
    if not isinstance(value, Sequence):
        return None
    parts = [canonical_text(each) for each in value]
    return None if None in parts else f"({', '.join(map(str, parts))})"


def from_conditioning(conditioning: Conditioning) -> dict[str, Tensor] | None:
    """The embeddings in a conditioning, tensors by name; None if it holds anything else, such as a schedule."""
    if len(conditioning) != 1:
        return None
    [[encoded, values]] = conditioning
    tensors = {name: value for name, value in values.items() if value is not None}
    if "pooled_output" not in values or None in [value for name, value in values.items() if name != "pooled_output"]:
        return None
    return {"cond": encoded, **tensors} if all(isinstance(each, Tensor) for each in tensors.values()) else None


def to_conditioning(embeddings: Embeddings) -> Conditioning:
    """The inverse of `from_conditioning`, on the device where ComfyUI keeps conditioning."""
    device = model_management.intermediate_device()
    values: dict[str, Any] = {name: tensor.to(device) for name, tensor in embeddings.items()}
    return [[values.pop("cond"), {"pooled_output": None, **values}]]
