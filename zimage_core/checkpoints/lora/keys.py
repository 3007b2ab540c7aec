"""Keys of LoRA files: the parameter of our network, the tensor's role in its delta, and the trainer that writes so.

Trainers name modules with dots or underscores, in the single-file or the diffusers layout, under many prefixes. All
separators become underscores, and the result is looked up in one table made from the network's own names and the
layouts' rules. Nothing is ever split at an underscore, since names contain underscores themselves.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import torch

from ...adapters import Target
from ...config import BASE_DIT
from ...model import S3DiT
from ..networks import DIT_DIFFUSERS

DEFAULT = r"(?:\.default(?:_\d+)?)?"  # PEFT's name of its first adapter
ENDINGS: tuple[tuple[str, str], ...] = (  # a key's ending, and the role of its tensor
    (rf"(?:\.lora_down|\.lora_A|\.lora\.down|_lora\.down|\.lora_linear_layer\.down){DEFAULT}(?:\.weight)?", "down"),
    (rf"(?:\.lora_up|\.lora_B|\.lora\.up|_lora\.up|\.lora_linear_layer\.up){DEFAULT}(?:\.weight)?", "up"),
    (rf"(?:\.dora_scale|\.lora_magnitude_vector){DEFAULT}(?:\.weight)?", "magnitude"),
    (r"\.alpha", "alpha"),
    *((rf"\.hada_{name}{DEFAULT}", f"hada_{name}") for name in ("w1_a", "w1_b", "w2_a", "w2_b")),
    *((rf"\.lokr_{name}{DEFAULT}", f"lokr_{name}") for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")),
    (r"\.oft_blocks", "oft_blocks"),
    (r"\.rescale", "rescale"),
    *((rf"\.{name}\.weight", name) for name in ("a1", "a2", "b1", "b2")),  # GLoRA
    (r"\.(?:diff|w_norm)", "diff"),
    (r"\.(?:diff_b|b_norm)", "diff_b"),
    (r"\.set_weight", "set_weight"),
)
ENDING = re.compile("|".join(f"(?P<_{index}>{ending}$)" for index, (ending, _) in enumerate(ENDINGS)))

PREFIXES = (  # flattened; a key may begin with several of them
    *("model_diffusion_model_", "diffusion_model_", "base_model_model_", "transformer_", "unet_"),
    *("lora_unet_", "lora_transformer_", "lycoris_"),
)
BLOCK_INDEX = re.compile(r"^((?:noise_refiner|context_refiner|layers)_)(\d{1,4})(?=_)")

TEXT_ENCODER = re.compile(r"^(?:lora_te|lora_prior_te|lycoris_te|text_encoder|text_model|te\d?[._])")

FAMILIES: tuple[tuple[str, str], ...] = (  # trainers and naming styles; the first whose pattern any key matches
    (r"feed_forward[._]net[._]0", "in the merged feed-forward style"),
    (r"^lora_unet__", "by VideoX-Fun"),
    (r"^lycoris_", "by SimpleTuner (LyCORIS)"),
    (r"^lora_unet_\w+_attention_(?:qkv|out)\.", "by musubi-tuner or kohya, on ComfyUI's module names"),
    (r"^lora_unet_", "by musubi-tuner or sd-scripts (kohya)"),
    (r"^lora_transformer_", "by OneTrainer"),
    (r"\.lora\.(?:down|up)\.", "in the dot style"),
    (r"\.default\.", "by DiffSynth"),
    (r"^transformer\..*(?:\.lora_down|\.dora_scale|\.hada_|\.alpha)", "by OneTrainer"),
    (r"^transformer\.", "by diffusers (PEFT)"),
    (r"^base_model\.model\.", "by PEFT"),
    (r"^(?:model\.)?diffusion_model\..*attention\.(?:qkv|out)\.", "in ComfyUI's naming (diffusion-pipe, native)"),
    (r"^(?:model\.)?diffusion_model\.", "by ai-toolkit"),
    (r"", "by diffusers (PEFT), without a prefix"),
)

FOREIGN_MODELS: tuple[tuple[str, str], ...] = (  # module names of other models, flattened
    (r"(?:double|single)_blocks_\d|single_transformer_blocks_\d", "FLUX"),
    (r"joint_blocks_\d", "Stable Diffusion 3"),
    (r"(?:input|output|middle|down|up|mid)_blocks?_\d", "Stable Diffusion"),
    (r"(?:^|_)blocks_\d+_(?:cross_attn|self_attn|ffn)", "Wan"),
    (r"transformer_blocks_\d+_(?:attn|img)", "Qwen-Image or another transformer"),
    (r"(?:^|_)layers_\d+_(?:self_attn|mlp)_", "a language model"),
)


def split_ending(key: str) -> tuple[str, str] | None:
    """The module's name in the file and the tensor's role ("up", "alpha", …), or None for an unknown ending."""
    match = ENDING.search(key)
    if match is None or match.lastgroup is None:
        return None
    return key[: match.start()], ENDINGS[int(match.lastgroup[1:])][1]


def targets_of(module: str) -> tuple[Target, ...]:
    """The parameters of our network that a module in the file stands for: none, one, or several stacked by rows."""
    flat = flatten(module)
    while prefix := next((prefix for prefix in PREFIXES if flat.startswith(prefix)), None):
        flat = flat.removeprefix(prefix)
    index = BLOCK_INDEX.match(flat)
    if index is None:
        return _targets_by_name().get(flat, ())
    in_first_block = _targets_by_name().get(BLOCK_INDEX.sub(r"\g<1>0", flat), ())
    return tuple(
        Target(target.parameter.replace(".0.", f".{int(index[2])}.", 1), target.part) for target in in_first_block
    )


def flatten(module: str) -> str:
    """A name with each run of dots, dashes and underscores replaced by one underscore."""
    return re.sub(r"[._\-]+", "_", module)


def family_of(keys: Iterable[str]) -> str:
    """The trainer or naming style that these keys show."""
    keys = list(keys)
    return next(family for pattern, family in FAMILIES if any(re.search(pattern, key) for key in keys))


def foreign_model_of(keys: Iterable[str]) -> str:
    """The name of the model other than Z-Image that has modules of these names, or ""."""
    flat = [flatten(key) for key in keys]
    return next((model for pattern, model in FOREIGN_MODELS if any(re.search(pattern, key) for key in flat)), "")


@cache
def _targets_by_name() -> Mapping[str, tuple[Target, ...]]:
    """Parameters by flattened module name in both layouts; of repeated blocks only the first, number 0."""
    network = S3DiT(replace(BASE_DIT, n_layers=1, n_refiner_layers=1), device="meta")
    ours = [key for key in network.state_dict() if not key.endswith(".bias")]
    table: dict[str, tuple[Target, ...]] = {}
    for key in ours:
        # three rows, so that the layout can split `qkv` into its three parts
        theirs = list(DIT_DIFFUSERS.to_file({key: torch.empty(3, 1, device="meta")}))
        for part, name in enumerate(theirs):
            table[_module_name(name)] = (Target(key, part if len(theirs) > 1 else None),)
        table[_module_name(key)] = (Target(key),)
    return table | _other_names(table)


def _other_names(table: Mapping[str, tuple[Target, ...]]) -> dict[str, tuple[Target, ...]]:
    """Names of neither layout: SVDQuant's merged matrices (nunchaku), and `to_out` without its index."""
    merged: dict[str, tuple[Target, ...]] = {}
    for name, targets in table.items():
        block = name.rpartition("_")[0]
        if name.endswith("_attention_qkv"):
            merged[f"{block}_to_qkv"] = targets
        if name.endswith("_attention_out"):
            merged[f"{block}_to_out"] = targets
        if name.endswith("_feed_forward_w1"):
            merged[f"{block}_net_0_proj"] = (*table[f"{block}_w3"], *targets)
        if name.endswith("_feed_forward_w2"):
            merged[f"{block}_net_2"] = targets
    return merged


def _module_name(parameter: str) -> str:
    return flatten(parameter.removesuffix(".weight"))
