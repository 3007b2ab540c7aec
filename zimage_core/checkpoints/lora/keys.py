"""Names in LoRA files: which parameter of ours a key means, which tensor of its change it holds, and who writes so.

Trainers name modules with dots or underscores, in the single-file or the diffusers layout, under many prefixes. All
are flattened to underscores and looked up in one table, made from the networks' own names and the layouts' rules:
nothing is ever split at an underscore.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import torch

from ...adapters import Target
from ...config import BASE_DIT
from ...model import S3DiT
from ..identify.layouts import DIT_DIFFUSERS

DEFAULT = r"(?:\.default(?:_\d+)?)?"  # PEFT's name of its first adapter
ENDINGS: tuple[tuple[str, str], ...] = (  # how keys end, and what their tensors are
    (rf"(?:\.lora_down|\.lora_A|\.lora\.down|_lora\.down|\.lora_linear_layer\.down){DEFAULT}(?:\.weight)?", "down"),
    (rf"(?:\.lora_up|\.lora_B|\.lora\.up|_lora\.up|\.lora_linear_layer\.up){DEFAULT}(?:\.weight)?", "up"),
    (rf"(?:\.dora_scale|\.lora_magnitude_vector){DEFAULT}(?:\.weight)?", "magnitude"),
    (r"\.alpha", "alpha"),
    *((rf"\.hada_{name}{DEFAULT}", f"hada_{name}") for name in ("w1_a", "w1_b", "w2_a", "w2_b")),
    *((rf"\.lokr_{name}{DEFAULT}", f"lokr_{name}") for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")),
    (r"\.(?:diff|w_norm)", "diff"),
    (r"\.(?:diff_b|b_norm)", "diff_b"),
    (r"\.set_weight", "set_weight"),
)
ENDING = re.compile("|".join(f"(?P<_{index}>{ending}$)" for index, (ending, _) in enumerate(ENDINGS)))

PREFIXES = (  # flattened; several may stand one after the other
    *("model_diffusion_model_", "diffusion_model_", "base_model_model_", "transformer_", "unet_"),
    *("lora_unet_", "lora_transformer_", "lycoris_"),
)
NUMBER = re.compile(r"^((?:noise_refiner|context_refiner|layers)_)(\d{1,4})(?=_)")

TEXT_ENCODER = re.compile(r"^(?:lora_te|lora_prior_te|lycoris_te|text_encoder|text_model|te\d?[._])")

FAMILIES: tuple[tuple[str, str], ...] = (  # the first whose pattern any key has
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

STRANGERS: tuple[tuple[str, str], ...] = (  # what other models call their modules, flattened
    (r"(?:double|single)_blocks_\d|single_transformer_blocks_\d", "FLUX"),
    (r"joint_blocks_\d", "Stable Diffusion 3"),
    (r"(?:input|output|middle|down|up|mid)_blocks?_\d", "Stable Diffusion"),
    (r"(?:^|_)blocks_\d+_(?:cross_attn|self_attn|ffn)", "Wan"),
    (r"transformer_blocks_\d+_(?:attn|img)", "Qwen-Image or another transformer"),
    (r"(?:^|_)layers_\d+_(?:self_attn|mlp)_", "a language model"),
)


def split_ending(key: str) -> tuple[str, str] | None:
    """The module's name in the file and the tensor's role in it ("up", "alpha", …), if the ending is known."""
    match = ENDING.search(key)
    if match is None or match.lastgroup is None:
        return None
    return key[: match.start()], ENDINGS[int(match.lastgroup[1:])][1]


def targets_of(module: str) -> tuple[Target, ...]:
    """The parameters of ours a module's weight means: none, one, or several stacked from the first row to the last."""
    flat = flatten(module)
    while prefix := next((prefix for prefix in PREFIXES if flat.startswith(prefix)), None):
        flat = flat.removeprefix(prefix)
    number = NUMBER.match(flat)
    if number is None:
        return _table().get(flat, ())
    found = _table().get(NUMBER.sub(r"\g<1>0", flat), ())
    return tuple(Target(target.parameter.replace(".0.", f".{int(number[2])}.", 1), target.part) for target in found)


def flatten(module: str) -> str:
    """A name with every separator an underscore, and no two of them together."""
    return re.sub(r"[._\-]+", "_", module)


def family_of(keys: Iterable[str]) -> str:
    """Who writes such keys."""
    known = list(keys)
    return next(family for pattern, family in FAMILIES if any(re.search(pattern, key) for key in known))


def stranger_of(keys: Iterable[str]) -> str:
    """The model other than Z-Image that has modules of these names, or nothing."""
    flat = [flatten(key) for key in keys]
    return next((model for pattern, model in STRANGERS if any(re.search(pattern, key) for key in flat)), "")


@cache
def _table() -> Mapping[str, tuple[Target, ...]]:
    """Flattened module names of both layouts, of the first block of each row, to parameters."""
    network = S3DiT(replace(BASE_DIT, n_layers=1, n_refiner_layers=1), device="meta")
    ours = [key for key in network.state_dict() if not key.endswith(".bias")]
    table: dict[str, tuple[Target, ...]] = {}
    for key in ours:
        # three rows, so that the fused matrix falls into its three parts
        theirs = list(DIT_DIFFUSERS.to_theirs({key: torch.empty(3, 1, device="meta")}))
        for part, name in enumerate(theirs):
            table[_module(name)] = (Target(key, part if len(theirs) > 1 else None),)
        table[_module(key)] = (Target(key),)
    return table | _merged(table)


def _merged(table: Mapping[str, tuple[Target, ...]]) -> dict[str, tuple[Target, ...]]:
    """Names of neither layout: SVDQuant's merged matrices (nunchaku), and an output map without its number."""
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


def _module(parameter: str) -> str:
    return flatten(parameter.removesuffix(".weight"))
