"""LoRA files in the two namings other software reads, without loss.

ComfyUI's names are ours with `diffusion_model.` before them. Queries, keys and values that a file has apart become one
LoRA on the fused matrix: with their common `down` where they share it, else with a rank that is the sum of theirs, each
keeping its own directions (a block-diagonal `up`). Both multiply out to the same numbers. What cannot be joined so
stays apart under diffusers' names, which ComfyUI reads with row offsets.

In diffusers' naming rows are cut, exact for every kind but a DoRA by columns, and scales go into the matrices, because
its loader (0.42) takes keys named `transformer.` for other ones when an alpha stands beside them.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...adapters import Decomposed, Delta, Full, Hadamard, Kronecker, Lora, LowRank, Replacement
from ..formats.safetensors_header import CheckpointError
from ..identify.layouts import DIT_DIFFUSERS

COMFYUI_PREFIX, DIFFUSERS_PREFIX = "diffusion_model.", "transformer."
N_PARTS = 3


def comfyui_state(lora: Lora) -> dict[str, Tensor]:
    """The tensors of a file in ComfyUI's naming."""
    apart: defaultdict[str, dict[int, Delta]] = defaultdict(dict)
    state: dict[str, Tensor] = {}
    for target, delta in lora.deltas.items():
        if target.part is None:
            state.update(_named(COMFYUI_PREFIX, target.parameter, delta))
        else:
            apart[target.parameter][target.part] = delta
    for parameter, parts in apart.items():
        fused = _fused(parts)
        if fused is None:
            for part, delta in parts.items():
                state.update(_named(COMFYUI_PREFIX, _diffusers_names(parameter)[part], delta))
        else:
            state.update(_named(COMFYUI_PREFIX, parameter, fused))
    return state


def diffusers_state(lora: Lora) -> dict[str, Tensor]:
    """The tensors of a file in diffusers' naming."""
    state: dict[str, Tensor] = {}
    for target, delta in lora.deltas.items():
        names = _diffusers_names(target.parameter)
        if target.part is not None:
            state.update(_named(DIFFUSERS_PREFIX, names[target.part], _without_alpha(delta)))
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
            state.update(_named(DIFFUSERS_PREFIX, name, _without_alpha(part)))
    return state


NAMINGS: Mapping[str, Callable[[Lora], dict[str, Tensor]]] = {"ComfyUI": comfyui_state, "diffusers": diffusers_state}


def save_lora(lora: Lora, path: Path, naming: str) -> None:
    """Write a LoRA file in one of `NAMINGS`."""
    state = NAMINGS[naming](lora)
    # cloned, because parts of one matrix share memory and the format has no word for that
    save_file({key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in state.items()}, path)


def _diffusers_names(parameter: str) -> list[str]:
    """What diffusers calls a parameter of ours; three names for the fused matrix."""
    return list(DIT_DIFFUSERS.to_theirs({parameter: torch.empty(N_PARTS, 1, device="meta")}))


def _fused(parts: Mapping[int, Delta]) -> LowRank | None:
    """One LoRA on all rows of the fused matrix, or None where that cannot be said exactly."""
    loras = {part: lora for part, lora in sorted(parts.items()) if isinstance(lora, LowRank)}
    forms = {(lora.shape, lora.scale, lora.up.dtype, lora.down.dtype) for lora in loras.values()}
    if len(loras) < len(parts) or len(forms) > 1:
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
    ((_, scale, *_),) = forms
    return LowRank(up=up, down=down, alpha=None if scale == 1 else scale * len(down))


def _without_alpha(delta: Delta) -> Delta:
    """The same change at scale 1; the matrices are widened to float32 where theirs cannot hold the product exactly."""
    match delta:
        case Decomposed():
            direction = _without_alpha(delta.direction)
            return replace(delta, direction=direction)
        case LowRank() if delta.scale != 1:
            up = delta.up.float() * delta.scale
            if torch.equal(up.to(delta.up.dtype).float(), up):
                return LowRank(up=up.to(delta.up.dtype), down=delta.down)
            return LowRank(up=up, down=delta.down.float())
        case Kronecker():
            first, *rest = delta.w1
            return Kronecker(w1=(first.float() * delta.scale, *rest), w2=delta.w2)
        case _:
            return delta


def _named(prefix: str, parameter: str, delta: Delta) -> dict[str, Tensor]:
    """A delta's tensors with their keys."""
    if parameter.endswith(".bias"):
        return {f"{prefix}{parameter.removesuffix('.bias')}.diff_b": _tensors(delta)["diff"]}
    return {f"{prefix}{parameter.removesuffix('.weight')}.{role}": tensor for role, tensor in _tensors(delta).items()}


def _tensors(delta: Delta) -> dict[str, Tensor]:
    """A delta's tensors by the endings of their keys; an alpha only where it says something."""
    match delta:
        case LowRank():
            alpha = {} if delta.scale == 1 else _alpha(delta.alpha)
            return {"lora_A.weight": delta.down, "lora_B.weight": delta.up, **alpha}
        case Hadamard():
            names = ("w1_a", "w1_b", "w2_a", "w2_b")
            return {**{f"hada_{name}": getattr(delta, name) for name in names}, **_alpha(delta.alpha)}
        case Kronecker():
            factors = {"lokr_w1": delta.w1, "lokr_w2": delta.w2}
            state = {key: factor[0] for key, factor in factors.items() if len(factor) == 1}
            for key, factor in factors.items():
                if len(factor) == 2:
                    state |= {f"{key}_a": factor[0], f"{key}_b": factor[1]}
            return {**state, **_alpha(delta.alpha)}
        case Decomposed():
            return {**_tensors(delta.direction), "dora_scale": delta.magnitude}
        case Full():
            return {"diff": delta.diff}
        case Replacement():
            return {"set_weight": delta.value}
        case _:
            raise TypeError(f"no keys are known for {type(delta).__name__}")


def _alpha(alpha: float | None) -> dict[str, Tensor]:
    return {} if alpha is None else {"alpha": torch.tensor(alpha)}
