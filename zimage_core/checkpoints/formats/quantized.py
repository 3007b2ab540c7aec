"""Finds the packed weights of a file, in ComfyUI's formats, and joins each with its scales.

Three declarations of packed layers are in use: a marker tensor `L.comfy_quant` holding JSON, the same by layer name in
the header's `_quantization_metadata`, and the older scaled fp8, `L.scale_weight` with `scaled_fp8` at the top.
All become `PackedWeight`s here. An fp8 weight without a scale is a plain tensor that only has to be cast.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .dequantize import MXFP8_BLOCK, NVFP4_BLOCK, SWIZZLE_ROWS, convrot, mxfp8, nvfp4, scaled, swizzled_size
from .errors import CheckpointError
from .json_object import is_size, parse_json
from .packed import PackedWeight, Stored, StoredTensor

MARKER, OLD_MARKER, METADATA_KEY = "comfy_quant", "scaled_fp8", "_quantization_metadata"
COMPANIONS = {  # tensors beside a packed weight: ComfyUI's name by the file's name
    **{name: name for name in ("weight_scale", "weight_scale_2", "input_scale", "pre_quant_scale")},
    "scale_weight": "weight_scale",
    "scale_input": "input_scale",
}
FLOATS = (torch.float32, torch.float16, torch.bfloat16)
E8M0: torch.dtype = getattr(torch, "float8_e8m0fnu", torch.uint8)  # missing from older torch versions
FLOAT8 = {torch.float8_e4m3fn: "float8_e4m3fn", torch.float8_e5m2: "float8_e5m2"}
UNSUPPORTED = {  # formats whose weights only their own kernels can read
    "convrot_w4a4": "4-bit ConvRot",
    "int4_tensorwise": "4-bit ConvRot",
    "asym_w4a8_int8": "asymmetric 4-bit",
    "awq_w4a16": "AWQ",
    "svdquant_w4a4": "SVDQuant",
}
CONVROT_GROUPS = (4, 16, 64, 256, 1024)  # powers of four; 256 in every published file
INSTEAD = "use the bf16, fp8, int8_convrot, nvfp4 or GGUF file of the model instead"


@dataclass(frozen=True)
class PackedLayer:
    """A packed layer before its companions have been checked."""

    file: str
    name: str
    parts: Stored
    settings: Mapping[str, Any]

    def part(self, name: str, dtypes: tuple[torch.dtype, ...]) -> Tensor:
        """A tensor of this layer, which must be there and have one of these types."""
        tensor = self.parts.get(name)
        if tensor is None:
            raise self.error(f"has no {name}")
        if tensor.dtype not in dtypes:
            raise self.error(f"has a {name} of type {tensor.dtype}".replace("torch.", ""))
        return tensor

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """Its packed weight."""
        weight = self.part("weight", (dtype,))
        if weight.ndim != 2 or not weight.numel():
            raise self.error(f"has a weight of shape {tuple(weight.shape)}")
        return weight

    def scalar(self, name: str) -> Tensor:
        """A companion of one value."""
        scale = self.part(name, FLOATS)
        if scale.numel() != 1:
            raise self.error(f"has a {name} of shape {tuple(scale.shape)}, not one number")
        return scale.reshape(())

    def error(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.file} is damaged: its packed layer {self.name[:80]} "
            f"({str(self.settings.get('format'))[:40]}) {what}; download it again"
        )


def group_packed(tensors: Stored, metadata: Mapping[str, str], prefix: str, file: str) -> dict[str, StoredTensor]:
    """Tensors by key, with each packed weight and its companions as one `PackedWeight`. Keys are without `prefix`."""
    settings = {**_old_layers(tensors), **header_layers(metadata, prefix, file), **_marked_layers(tensors, file)}
    values: dict[str, StoredTensor] = {key: tensor for key, tensor in tensors.items() if key != OLD_MARKER}
    for name, layer_settings in settings.items():
        if f"{name}.weight" not in values:
            continue  # the header may declare layers of another network in the file
        weight = values[f"{name}.weight"]
        parts = {"weight": weight} if isinstance(weight, Tensor) else {}
        for file_name, comfy_name in COMPANIONS.items():
            companion = values.pop(f"{name}.{file_name}", None)
            if isinstance(companion, Tensor):
                parts[comfy_name] = companion
        values.pop(f"{name}.{MARKER}", None)
        values[f"{name}.weight"] = pack(PackedLayer(file, name, parts, layer_settings))
    return values


def pack(layer: PackedLayer) -> PackedWeight:
    """The layer as a `PackedWeight` with everything that dequantizing it needs, checked."""
    name = layer.settings.get("format")
    if isinstance(name, str) and name in UNSUPPORTED:
        raise CheckpointError(
            f"{layer.file} is quantised as {UNSUPPORTED[name]} ({name}), which is not read; {INSTEAD}"
        )
    if not isinstance(name, str) or name not in FORMATS:
        raise CheckpointError(f"{layer.file} is quantised in an unknown format ({ascii(name)[:40]}); {INSTEAD}")
    shape, stored, dequantize = FORMATS[name](layer)
    # ComfyUI's layers apply these themselves; a scale of one has no effect
    for extra in ("input_scale", "pre_quant_scale"):
        if extra in layer.parts and not _is_one(layer.parts[extra]):
            stored[extra] = layer.parts[extra]
    smooth = stored.get("pre_quant_scale")
    if smooth is not None and smooth.shape != shape[1:]:
        raise layer.error(f"has a pre_quant_scale of shape {tuple(smooth.shape)}")
    return PackedWeight(name, shape, stored, partial(_with_smoothing, dequantize), layer.settings)


Dequantize = Callable[[Stored], Tensor]
CheckedLayer = tuple[tuple[int, int], dict[str, Tensor], Dequantize]


def _fp8(layer: PackedLayer, dtype: torch.dtype) -> CheckedLayer:
    weight = layer.matrix(dtype)
    return (
        (weight.shape[0], weight.shape[1]),
        {"weight": weight, "weight_scale": layer.scalar("weight_scale")},
        lambda stored: scaled(stored["weight"], stored["weight_scale"]),
    )


def _int8(layer: PackedLayer) -> CheckedLayer:
    weight = layer.matrix(torch.int8)
    rows, columns = weight.shape
    scale = layer.part("weight_scale", FLOATS)
    if scale.numel() not in (1, rows):
        raise layer.error(f"has a weight_scale of shape {tuple(scale.shape)}")
    stored = {"weight": weight, "weight_scale": scale.reshape(()) if scale.numel() == 1 else scale.reshape(-1, 1)}
    nested = layer.settings.get("params")
    settings = {**(nested if isinstance(nested, dict) else {}), **layer.settings}
    if not settings.get("convrot", False):
        return (rows, columns), stored, lambda stored: scaled(stored["weight"], stored["weight_scale"])
    group = settings.get("convrot_groupsize", 256)
    if not is_size(group) or group not in CONVROT_GROUPS or columns % group:
        raise layer.error(f"is rotated in groups of {ascii(group)[:20]}, which its {columns} columns do not have")
    return (rows, columns), stored, lambda stored: convrot(stored["weight"], stored["weight_scale"], group)


def _nvfp4(layer: PackedLayer) -> CheckedLayer:
    weight = layer.matrix(torch.uint8)
    rows, columns = weight.shape[0], weight.shape[1] * 2
    stored = {
        "weight": weight,
        "weight_scale": _block_scales(layer, (torch.float8_e4m3fn, torch.uint8), rows, columns, NVFP4_BLOCK),
        "weight_scale_2": layer.scalar("weight_scale_2"),
    }
    return (
        (rows, columns),
        stored,
        lambda stored: nvfp4(stored["weight"], stored["weight_scale"], stored["weight_scale_2"]),
    )


def _mxfp8(layer: PackedLayer) -> CheckedLayer:
    weight = layer.matrix(torch.float8_e4m3fn)
    rows, columns = weight.shape
    scales = _block_scales(layer, (E8M0, torch.uint8), rows, columns, MXFP8_BLOCK)
    stored = {"weight": weight, "weight_scale": scales}
    return (rows, columns), stored, lambda stored: mxfp8(stored["weight"], stored["weight_scale"])


FORMATS: Mapping[str, Callable[[PackedLayer], CheckedLayer]] = {
    "float8_e4m3fn": partial(_fp8, dtype=torch.float8_e4m3fn),
    "float8_e5m2": partial(_fp8, dtype=torch.float8_e5m2),
    "int8_tensorwise": _int8,
    "nvfp4": _nvfp4,
    "mxfp8": _mxfp8,
}


def _block_scales(layer: PackedLayer, dtypes: tuple[torch.dtype, ...], rows: int, columns: int, block: int) -> Tensor:
    """One scale per block of columns, in is_size tiles; a matrix, so that passes can cut it by rows."""
    scales = layer.part("weight_scale", dtypes)
    if columns % block or scales.numel() != swizzled_size(rows, columns // block):
        raise layer.error(f"has {scales.numel():,} scales for {rows} rows of {columns} columns")
    return scales.reshape(-(-rows // SWIZZLE_ROWS) * SWIZZLE_ROWS, -1)


def _with_smoothing(dequantize: Dequantize, stored: Stored) -> Tensor:
    """Values (o, i) times the per-column scale meant for the layer's inputs (ModelOpt's AWQ), which is equivalent."""
    values = dequantize(stored)
    smooth = stored.get("pre_quant_scale")
    return values if smooth is None else values * smooth.float()


def _is_one(scale: Tensor) -> bool:
    return scale.numel() == 1 and scale.is_floating_point() and scale.float().item() == 1.0


def _old_layers(tensors: Stored) -> dict[str, dict[str, Any]]:
    """Layers of scaled fp8: the weight's dtype is the format; a top marker of two elements: full-precision GEMMs."""
    top = tensors.get(OLD_MARKER)
    extra = {"full_precision_matrix_mult": True} if top is not None and top.numel() == 2 else {}
    layers: dict[str, dict[str, Any]] = {}
    for key in tensors:
        name, _, leaf = key.rpartition(".")
        weight = tensors.get(f"{name}.weight")
        if leaf in ("scale_weight", "weight_scale") and weight is not None and weight.dtype in FLOAT8:
            layers[name] = {"format": FLOAT8[weight.dtype], **extra}
    return layers


def header_layers(metadata: Mapping[str, str], prefix: str, file: str) -> dict[str, dict[str, Any]]:
    """Settings by layer from the header's metadata, layers named without the file's prefix."""
    text = metadata.get(METADATA_KEY)
    if text is None:
        return {}
    complaint = f"{file} has a damaged {METADATA_KEY}"
    layers = parse_json(text.encode("utf-8"), complaint).get("layers")
    if not isinstance(layers, dict):
        raise CheckpointError(f"{complaint} (it names no layers); download it again")
    return {name.removeprefix(prefix): _settings(value, complaint) for name, value in layers.items()}


def _marked_layers(tensors: Stored, file: str) -> dict[str, dict[str, Any]]:
    layers: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        name, _, leaf = key.rpartition(".")
        if leaf == MARKER:
            complaint = f"{file} has a damaged marker {key[:80]}"
            if tensor.dtype != torch.uint8:
                raise CheckpointError(f"{complaint} (it is no text); download it again")
            layers[name] = _settings(parse_json(tensor.numpy().tobytes(), complaint), complaint)
    return layers


def _settings(value: object, complaint: str) -> dict[str, Any]:
    """One layer's settings; older files have only the name of the format."""
    if isinstance(value, str):
        return {"format": value}
    if not isinstance(value, dict):
        raise CheckpointError(f"{complaint} (a layer's settings are no JSON object); download it again")
    return value
