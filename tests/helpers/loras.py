"""LoRA files as the trainers write them, for tiny networks, and the ΔW of each by definition.

Names and shapes are literals from the specification (section 7.2), not taken from the code under test.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from zimage_core.config import DiTConfig

RANK = 4
State = dict[str, Tensor]


class Module(NamedTuple):
    """A module in diffusers' naming: our parameter, its first row in it, and the size of its weight."""

    parameter: str
    first_row: int
    height: int
    width: int


def modules(config: DiTConfig) -> dict[str, Module]:
    """Modules that a LoRA may change, by name: in two layers, in a block of each refiner, and outside the blocks."""
    d, f, t = config.dim, config.ffn_dim, config.adaln_dim
    by_name: dict[str, Module] = {}
    for block in ("layers.0", "layers.1", "noise_refiner.1", "context_refiner.0"):
        for index, name in enumerate(("to_q", "to_k", "to_v")):
            by_name[f"{block}.attention.{name}"] = Module(f"{block}.attention.qkv.weight", index * d, d, d)
        by_name[f"{block}.attention.to_out.0"] = Module(f"{block}.attention.out.weight", 0, d, d)
        for name, height, width in (("w1", f, d), ("w2", d, f), ("w3", f, d)):
            by_name[f"{block}.feed_forward.{name}"] = Module(f"{block}.feed_forward.{name}.weight", 0, height, width)
        if not block.startswith("context"):
            by_name[f"{block}.adaLN_modulation.0"] = Module(f"{block}.adaLN_modulation.0.weight", 0, 4 * d, t)
    by_name["all_x_embedder.2-1"] = Module("x_embedder.weight", 0, d, 64)
    by_name["all_final_layer.2-1.linear"] = Module("final_layer.linear.weight", 0, 64, d)
    by_name["all_final_layer.2-1.adaLN_modulation.1"] = Module("final_layer.adaLN_modulation.1.weight", 0, d, t)
    by_name["cap_embedder.1"] = Module("cap_embedder.1.weight", 0, d, config.cap_feat_dim)
    by_name["t_embedder.mlp.0"] = Module("t_embedder.mlp.0.weight", 0, config.time_hidden_dim, 256)
    by_name["t_embedder.mlp.2"] = Module("t_embedder.mlp.2.weight", 0, t, config.time_hidden_dim)
    return by_name


class Pair(NamedTuple):
    """The two LoRA matrices of one module."""

    up: Tensor
    down: Tensor


def pairs(config: DiTConfig, seed: int = 0, only: Callable[[str], bool] = lambda name: True) -> dict[str, Pair]:
    """Random matrices for the modules whose diffusers name passes."""
    generator = torch.Generator().manual_seed(seed)

    def pair(module: Module) -> Pair:
        up = torch.randn(module.height, RANK, generator=generator) * 0.2
        return Pair(up, torch.randn(RANK, module.width, generator=generator) * 0.2)

    return {name: pair(module) for name, module in modules(config).items() if only(name)}


def expected(config: DiTConfig, drawn: Mapping[str, Pair], scale: float = 1.0) -> State:
    """ΔW of every parameter of ours, by definition scale · up @ down."""
    return stacked(config, {name: scale * (pair.up @ pair.down) for name, pair in drawn.items()})


def stacked(config: DiTConfig, changes: Mapping[str, Tensor]) -> State:
    """ΔW of modules in diffusers' naming as ΔW of our parameters, in which q, k and v are stacked."""
    heights = {module.parameter: module.first_row + module.height for module in modules(config).values()}
    total: State = {}
    for name, change in changes.items():
        module = modules(config)[name]
        whole = total.setdefault(module.parameter, torch.zeros(heights[module.parameter], module.width))
        whole[module.first_row : module.first_row + module.height] = change
    return total


def keyed(
    drawn: Mapping[str, Pair], name_of: Callable[[str], str], down: str, up: str, alpha: float | None = None
) -> State:
    """A LoRA's state dict under a trainer's names."""
    state: State = {}
    for name, pair in drawn.items():
        state[name_of(name) + down], state[name_of(name) + up] = pair.down, pair.up
        if alpha is not None:
            state[name_of(name) + ".alpha"] = torch.tensor(alpha)
    return state


def underscored(prefix: str) -> Callable[[str], str]:
    return lambda name: prefix + name.replace(".", "_")


A, B = ".lora_A.weight", ".lora_B.weight"
DOWN, UP = ".lora_down.weight", ".lora_up.weight"


def in_blocks(name: str) -> bool:
    return not name.startswith(("all_", "cap_", "t_"))


def plain_families(drawn: Mapping[str, Pair]) -> dict[str, tuple[State, str, float]]:
    """Files with separate queries, keys and values: state dict, a word of the reported family, scale."""
    return {
        "diffusers": (keyed(drawn, lambda name: "transformer." + name, A, B), "diffusers", 1),
        "peft": (keyed(drawn, lambda name: "base_model.model." + name, A, B), "PEFT", 1),
        "bare": (keyed(drawn, str, A, B), "without a prefix", 1),
        "ai-toolkit": (keyed(drawn, lambda name: "diffusion_model." + name, A, B), "ai-toolkit", 1),
        "musubi": (keyed(drawn, underscored("lora_unet_"), DOWN, UP, 2.0), "musubi", 2.0 / RANK),
        "VideoX-Fun": (keyed(drawn, underscored("lora_unet__"), DOWN, UP, 8.0), "VideoX-Fun", 8.0 / RANK),
        "DiffSynth": (keyed(drawn, str, ".lora_A.default.weight", ".lora_B.default.weight"), "DiffSynth", 1),
        "OneTrainer": (keyed(drawn, lambda name: "transformer." + name, DOWN, UP, 1.0), "OneTrainer", 1.0 / RANK),
        "OneTrainer, old": (keyed(drawn, underscored("lora_transformer_"), DOWN, UP, 1.0), "OneTrainer", 1.0 / RANK),
        "SimpleTuner": (keyed(drawn, underscored("lycoris_"), DOWN, UP, 4.0), "SimpleTuner", 1),
        "no .weight": (keyed(drawn, lambda name: "transformer." + name, ".lora_A", ".lora_B"), "diffusers", 1),
        "processor": (keyed(drawn, str, "_lora.down.weight", "_lora.up.weight"), "without a prefix", 1),
        "linear layer": (
            keyed(drawn, str, ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
            "without a prefix",
            1,
        ),
    }


def native_name(name: str) -> str:
    """A module outside the fused matrix in ComfyUI's naming."""
    name = name.replace("to_out.0", "out").replace("all_x_embedder.2-1", "x_embedder")
    return name.replace("all_final_layer.2-1", "final_layer")


def fused(config: DiTConfig, seed: int) -> tuple[dict[str, Pair], dict[str, Pair]]:
    """A LoRA trained on the fused `qkv` matrix: under ComfyUI's names, and the same split in three."""
    apart = pairs(config, seed, lambda name: not name.endswith(("to_k", "to_v")))
    whole: dict[str, Pair] = {}
    generator = torch.Generator().manual_seed(seed + 1)
    for name in list(apart):
        if not name.endswith("to_q"):
            whole[native_name(name)] = apart[name]
            continue
        up = torch.randn(3 * config.dim, RANK, generator=generator) * 0.2
        whole[name.replace("to_q", "qkv")] = Pair(up, apart[name].down)
        for part, block in zip(("to_q", "to_k", "to_v"), up.chunk(3), strict=True):
            apart[name.replace("to_q", part)] = Pair(block, apart[name].down)
    return whole, apart


def block_diagonal(config: DiTConfig, drawn: Mapping[str, Pair]) -> dict[str, Pair]:
    """What musubi's converter makes for ComfyUI: rank 3r on the fused matrix, a block-diagonal `up`."""
    whole = {native_name(name): pair for name, pair in drawn.items() if not name.endswith(("to_q", "to_k", "to_v"))}
    for name in drawn:
        if name.endswith("to_q"):
            three = [drawn[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            up = torch.block_diag(*(pair.up for pair in three))
            whole[name.replace("to_q", "qkv")] = Pair(up, torch.cat([pair.down for pair in three]))
    return whole


def merged_feed_forward(drawn: Mapping[str, Pair]) -> tuple[State, dict[str, Tensor]]:
    """SVDQuant's merged matrix, rows [w3; w1]: the state dict, and ΔW of each module."""
    state: State = {}
    changes: dict[str, Tensor] = {}
    for name, pair in drawn.items():
        if name.endswith("w1"):
            third = drawn[name[:-1] + "3"]
            base = f"transformer.{name[:-3]}.net.0.proj"
            state[base + A], state[base + B] = pair.down, torch.cat((third.up, pair.up))
            changes[name], changes[name[:-1] + "3"] = pair.up @ pair.down, third.up @ pair.down
        elif name.endswith("w2"):
            state[f"transformer.{name[:-3]}.net.2{A}"], state[f"transformer.{name[:-3]}.net.2{B}"] = pair.down, pair.up
            changes[name] = pair.up @ pair.down
    return state, changes


def dot_style(drawn: Mapping[str, Pair]) -> State:
    """Keys with dots, with `qkv` and `out` in the file a second time (here with other values, so that tests notice)."""
    state = keyed(
        drawn,
        lambda name: name.replace("to_q", "to.q").replace("to_k", "to.k").replace("to_v", "to.v"),
        ".lora.down.weight",
        ".lora.up.weight",
    )
    for name, pair in drawn.items():
        if name.endswith("to_q"):
            base = name.replace("to_q", "qkv.lora")
            state[base + ".down.weight"], state[base + ".up.weight"] = pair.down, pair.up.repeat(3, 1)
        if name.endswith("to_out.0"):
            base = name.replace("to_out.0", "out.lora")
            state[base + ".down.weight"], state[base + ".up.weight"] = pair.down, -pair.up
    return state
