"""LoRA files as the trainers write them, on tiny networks, and the change each must make by the definition.

Names and shapes stand here literally, taken from the specification (section 7.2), not from the code under test.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from zimage_core.config import DiTConfig

RANK = 4
State = dict[str, Tensor]


class Place(NamedTuple):
    """A module in diffusers' naming: which parameter of ours it is, from which row on, and its two widths."""

    parameter: str
    first_row: int
    height: int
    width: int


def places(config: DiTConfig) -> dict[str, Place]:
    """Every module a LoRA may change in two layers, a refiner of each kind, and outside the blocks."""
    d, f, t = config.dim, config.ffn_dim, config.adaln_dim
    found: dict[str, Place] = {}
    for block in ("layers.0", "layers.1", "noise_refiner.1", "context_refiner.0"):
        for index, name in enumerate(("to_q", "to_k", "to_v")):
            found[f"{block}.attention.{name}"] = Place(f"{block}.attention.qkv.weight", index * d, d, d)
        found[f"{block}.attention.to_out.0"] = Place(f"{block}.attention.out.weight", 0, d, d)
        for name, height, width in (("w1", f, d), ("w2", d, f), ("w3", f, d)):
            found[f"{block}.feed_forward.{name}"] = Place(f"{block}.feed_forward.{name}.weight", 0, height, width)
        if not block.startswith("context"):
            found[f"{block}.adaLN_modulation.0"] = Place(f"{block}.adaLN_modulation.0.weight", 0, 4 * d, t)
    found["all_x_embedder.2-1"] = Place("x_embedder.weight", 0, d, 64)
    found["all_final_layer.2-1.linear"] = Place("final_layer.linear.weight", 0, 64, d)
    found["all_final_layer.2-1.adaLN_modulation.1"] = Place("final_layer.adaLN_modulation.1.weight", 0, d, t)
    found["cap_embedder.1"] = Place("cap_embedder.1.weight", 0, d, config.cap_feat_dim)
    found["t_embedder.mlp.0"] = Place("t_embedder.mlp.0.weight", 0, config.time_hidden_dim, 256)
    found["t_embedder.mlp.2"] = Place("t_embedder.mlp.2.weight", 0, t, config.time_hidden_dim)
    return found


class Pair(NamedTuple):
    """The two matrices of one module."""

    up: Tensor
    down: Tensor


def pairs(config: DiTConfig, seed: int = 0, only: Callable[[str], bool] = lambda name: True) -> dict[str, Pair]:
    """Random matrices for the modules whose diffusers name passes."""
    generator = torch.Generator().manual_seed(seed)

    def pair(place: Place) -> Pair:
        up = torch.randn(place.height, RANK, generator=generator) * 0.2
        return Pair(up, torch.randn(RANK, place.width, generator=generator) * 0.2)

    return {name: pair(place) for name, place in places(config).items() if only(name)}


def expected(config: DiTConfig, drawn: Mapping[str, Pair], scale: float = 1.0) -> State:
    """The change of every parameter of ours, by the definition scale · up · down."""
    return stacked(config, {name: scale * (pair.up @ pair.down) for name, pair in drawn.items()})


def stacked(config: DiTConfig, changes: Mapping[str, Tensor]) -> State:
    """Changes of modules in diffusers' naming as changes of our parameters."""
    heights = {place.parameter: place.first_row + place.height for place in places(config).values()}
    total: State = {}
    for name, change in changes.items():
        place = places(config)[name]
        whole = total.setdefault(place.parameter, torch.zeros(heights[place.parameter], place.width))
        whole[place.first_row : place.first_row + place.height] = change
    return total


def keyed(
    drawn: Mapping[str, Pair], name_of: Callable[[str], str], down: str, up: str, alpha: float | None = None
) -> State:
    """Matrices under a trainer's names."""
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
    """Files that keep queries, keys and values apart: their tensors, a word of their family's name, their scale."""
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
    """A LoRA trained on the fused matrix: as it is (under ComfyUI's names), and the same cut in three."""
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
    """What musubi's converter makes for ComfyUI: rank 3r on the fused matrix, each third with directions of its own."""
    whole = {native_name(name): pair for name, pair in drawn.items() if not name.endswith(("to_q", "to_k", "to_v"))}
    for name in drawn:
        if name.endswith("to_q"):
            three = [drawn[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            up = torch.block_diag(*(pair.up for pair in three))
            whole[name.replace("to_q", "qkv")] = Pair(up, torch.cat([pair.down for pair in three]))
    return whole


def merged_feed_forward(drawn: Mapping[str, Pair]) -> tuple[State, dict[str, Tensor]]:
    """SVDQuant's merged matrix, rows [w3; w1]: the file, and the change of each module."""
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
    """Dots everywhere, and fused and output matrices said a second time (here with other numbers, for tests to see)."""
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
