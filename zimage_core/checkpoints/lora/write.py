"""Writes LoRA files, without loss, in the two key naming schemes that other software reads.

ComfyUI's keys are ours with the prefix `diffusion_model.`. Separate LoRAs on queries, keys and values become one LoRA
on the fused `qkv` matrix: with their common `down` where they share it, else with the sum of their ranks, a
block-diagonal `up` and the `down` matrices stacked. Both give the same dW exactly. Deltas that cannot be fused so stay
separate under diffusers' names, which ComfyUI reads with row offsets.

In diffusers' naming the fused matrix is split by rows, which is exact for every kind but a DoRA with magnitudes per
column. Scales are multiplied into the matrices, because diffusers' loader (0.42) takes keys that begin with
`transformer.` for those of another trainer when there are alphas. A DoRA of a LoRA is written as PEFT names it, and a
LoKr with both factors whole, since that loader knows no other form of either.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...adapters import (
    BOFT,
    N_PARTS,
    OFT,
    Delta,
    DoRA,
    FullDifference,
    GLoRA,
    LoHa,
    LoKr,
    Lora,
    LowRank,
    SetWeight,
)
from ...atomic_file import save_tensors
from ..formats.errors import CheckpointError
from ..networks import DIT_DIFFUSERS

COMFYUI_PREFIX, DIFFUSERS_PREFIX = "diffusion_model.", "transformer."


def comfyui_state(lora: Lora) -> dict[str, Tensor]:
    """The state dict of a LoRA file in ComfyUI's naming."""
    separate: defaultdict[str, dict[int, Delta]] = defaultdict(dict)
    state: dict[str, Tensor] = {}
    for target, delta in lora.deltas.items():
        if target.part is None:
            state.update(_keyed(COMFYUI_PREFIX, target.parameter, delta))
        else:
            separate[target.parameter][target.part] = delta
    for parameter, parts in separate.items():
        fused = _fused_qkv(parts)
        if fused is None:
            for part, delta in parts.items():
                state.update(_keyed(COMFYUI_PREFIX, _diffusers_names(parameter)[part], delta))
        else:
            state.update(_keyed(COMFYUI_PREFIX, parameter, fused))
    return state


def diffusers_state(lora: Lora) -> dict[str, Tensor]:
    """The state dict of a LoRA file in diffusers' naming.

    Raises `CheckpointError` for a DoRA with magnitudes per column on the fused matrix.
    """
    state: dict[str, Tensor] = {}
    for target, delta in lora.deltas.items():
        names = _diffusers_names(target.parameter)
        if target.part is not None:
            state.update(_as_peft(_keyed(DIFFUSERS_PREFIX, names[target.part], _without_alpha(delta))))
            continue
        height = delta.shape[0] // len(names)
        for index, name in enumerate(names):
            try:
                part = delta if len(names) == 1 else delta.rows(index * height, (index + 1) * height)
            except ValueError as error:
                raise CheckpointError(
                    f"{lora.file} cannot be written in diffusers' naming at {target.parameter}: {error}; "
                    "write it in ComfyUI's"
                ) from error
            state.update(_as_peft(_keyed(DIFFUSERS_PREFIX, name, _without_alpha(part))))
    return state


NAMINGS: Mapping[str, Callable[[Lora], dict[str, Tensor]]] = {"ComfyUI": comfyui_state, "diffusers": diffusers_state}


def save_lora(lora: Lora, path: Path, naming: str, metadata: Mapping[str, str] | None = None) -> None:
    """Write a LoRA as a safetensors file in one of `NAMINGS`, with metadata if some is given."""
    state = NAMINGS[naming](lora)
    # cloned, because row slices of one matrix share storage, which safetensors refuses
    cloned = {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in state.items()}
    save_tensors(path, cloned, metadata)


def _diffusers_names(parameter: str) -> list[str]:
    """Diffusers' names of a parameter of ours: one, or three for the fused `qkv` matrix."""
    return list(DIT_DIFFUSERS.to_file({parameter: torch.empty(N_PARTS, 1, device="meta")}))


def _fused_qkv(parts: Mapping[int, Delta]) -> LowRank | None:
    """One LoRA on all rows of the fused `qkv` matrix, or None where that is not possible exactly."""
    loras = {part: lora for part, lora in sorted(parts.items()) if isinstance(lora, LowRank)}
    variants = {(lora.shape, lora.scale, lora.up.dtype, lora.down.dtype) for lora in loras.values()}
    if len(loras) < len(parts) or len(variants) > 1:
        return None
    ups, downs = [lora.up for lora in loras.values()], [lora.down for lora in loras.values()]
    height = len(ups[0])
    is_shared = all(torch.equal(down, downs[0]) for down in downs)
    down = downs[0] if is_shared else torch.cat(downs)
    up = ups[0].new_zeros(N_PARTS * height, len(down))
    column = 0
    for part, block in zip(loras, ups, strict=True):
        up[part * height : (part + 1) * height, column : column + block.shape[1]] = block
        column += 0 if is_shared else block.shape[1]
    ((_, scale, *_),) = variants
    return LowRank(up=up, down=down, alpha=None if scale == 1 else scale * len(down))


def _without_alpha(delta: Delta) -> Delta:
    """The same delta at scale 1; its matrices become float32 if their dtype cannot hold scale · up exactly."""
    match delta:
        case DoRA():
            direction = _without_alpha(delta.direction)
            return replace(delta, direction=direction)
        case LowRank() if delta.scale != 1:
            up = delta.up.float() * delta.scale
            if torch.equal(up.to(delta.up.dtype).float(), up):
                return LowRank(up=up.to(delta.up.dtype), down=delta.down)
            return LowRank(up=up, down=delta.down.float())
        case LoKr():
            w1, w2 = delta.factors()
            return LoKr(w1=(w1 * delta.scale,), w2=(w2,))
        case _:
            return delta


def _keyed(prefix: str, parameter: str, delta: Delta) -> dict[str, Tensor]:
    """A delta's tensors by their full keys."""
    tensors = _tensors_by_ending(delta)
    if parameter.endswith(".bias"):
        return {f"{prefix}{parameter.removesuffix('.bias')}.diff_b": tensors["diff"]}
    return {f"{prefix}{parameter.removesuffix('.weight')}.{ending}": tensor for ending, tensor in tensors.items()}


def _as_peft(module: dict[str, Tensor]) -> dict[str, Tensor]:
    """One module's tensors with the lengths of a LoRA's rows under PEFT's name and in its shape (o,)."""
    lengths = [key for key, tensor in module.items() if key.endswith(".dora_scale") and tensor.shape[1] == 1]
    if not lengths or not any(key.endswith(".lora_A.weight") for key in module):
        return module
    (key,) = lengths
    others = {name: tensor for name, tensor in module.items() if name != key}
    return {**others, f"{key.removesuffix('.dora_scale')}.lora_magnitude_vector": module[key][:, 0]}


def _tensors_by_ending(delta: Delta) -> dict[str, Tensor]:
    """A delta's tensors by the endings of their keys; with an alpha only if it changes the scale."""
    match delta:
        case LowRank():
            alpha = {} if delta.scale == 1 else _alpha(delta.alpha)
            return {"lora_A.weight": delta.down, "lora_B.weight": delta.up, **alpha}
        case LoHa():
            names = ("w1_a", "w1_b", "w2_a", "w2_b")
            return {**{f"hada_{name}": getattr(delta, name) for name in names}, **_alpha(delta.alpha)}
        case LoKr():
            factors = {"lokr_w1": delta.w1, "lokr_w2": delta.w2}
            state = {key: factor[0] for key, factor in factors.items() if len(factor) == 1}
            for key, factor in factors.items():
                if len(factor) == 2:
                    state |= {f"{key}_a": factor[0], f"{key}_b": factor[1]}
            return {**state, **_alpha(delta.alpha)}
        case DoRA():
            return {**_tensors_by_ending(delta.direction), "dora_scale": delta.magnitude}
        case OFT() | BOFT():
            rescale = {} if delta.rescale is None else {"rescale": delta.rescale}
            return {"oft_blocks": delta.blocks, **rescale, **_alpha(delta.constraint)}
        case GLoRA():
            factors = {f"{name}.weight": getattr(delta, name) for name in ("a1", "a2", "b1", "b2")}
            return {**factors, **_alpha(delta.alpha)}
        case FullDifference():
            return {"diff": delta.diff}
        case SetWeight():
            return {"set_weight": delta.value}
        case _:
            raise TypeError(f"no keys are known for {type(delta).__name__}")


def _alpha(alpha: float | None) -> dict[str, Tensor]:
    return {} if alpha is None else {"alpha": torch.tensor(alpha)}
