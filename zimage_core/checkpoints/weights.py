"""One network's tensors as its file keeps them, checked against the network and handed out block by block.

A block's tensors are translated to our names, unpacked and cast together, then let go: nothing but the finished network
grows, so no file is ever in memory twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from .formats.files import Read, headers_of, read_files, read_safetensors
from .formats.packed import Packed, Value
from .formats.quantized import recognise
from .formats.safetensors_header import CheckpointError, Entry, one_line
from .identify.layouts import Layout
from .identify.parts import Part
from .identify.verdict import judge, verdict_of

Source = str | Path | Mapping[str, Tensor]
Config = TypeVar("Config")
Convert = Callable[[str, Value, tuple[int, ...]], Mapping[str, Tensor]]

FLOATS = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"},
}
WORDS = {**FLOATS, torch.int8: "I8", torch.uint8: "U8"}  # safetensors' own
MAX_BLOCKS = 1000  # far above any model; a damaged file may number more than can be built
BLOCK = re.compile(r".*?\.\d+(?=\.)")  # up to the first number: what a layout may move, it moves inside of these


@dataclass(frozen=True)
class Weights:
    """A network's tensors without their prefix. `blocks` takes them out as it goes."""

    file: str
    layout: Layout
    values: dict[str, Value]

    def outline(self) -> dict[str, Tensor]:
        """Tensors under our names that have shapes and no memory."""
        shapes = {key: torch.empty(value.shape, device="meta") for key, value in self.values.items()}
        try:
            return self.layout.to_ours(shapes)
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.file} has matrices that do not fit together ({one_line(error)}); download it again"
            ) from error

    def without(self, *prefixes: str) -> "Weights":
        """Without the tensors whose names, in our words, begin like this: what the network does not use."""
        nothing = torch.empty(0, device="meta")
        values = {
            key: value
            for key, value in self.values.items()
            if not any(ours.startswith(prefixes) for ours in self.layout.to_ours({key: nothing}))
        }
        return replace(self, values=values)

    def check_sane(self) -> None:
        """Refuse what no network can be built from, whatever its names: nothing, whole numbers, countless blocks."""
        for key, value in self.values.items():
            if 0 in value.shape:
                raise CheckpointError(f"{self.file} has nothing in its tensor {key[:80]}; download it again")
            if isinstance(value, Tensor) and value.dtype not in FLOATS:
                raise CheckpointError(
                    f"{self.file} keeps {key[:80]} as {str(value.dtype).removeprefix('torch.')} without saying how to "
                    "turn it into weights; get the file in a common format such as bf16"
                )
        n_blocks = len({block[0] for key in self.values if (block := BLOCK.match(key))})
        if n_blocks > MAX_BLOCKS:
            raise CheckpointError(f"{self.file} has {n_blocks:,} blocks, more than any such network; download it again")

    def config(self, read: Callable[[Mapping[str, Tensor]], Config]) -> Config:
        """The network's widths; a file they cannot be read from is refused."""
        outline = self.outline()
        try:
            return read(outline)
        except KeyError as error:
            raise CheckpointError(f"{self.file} lacks the tensor {error}; download it again") from error
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            raise CheckpointError(
                f"{self.file} has tensors of shapes no such network has ({one_line(error)}); download it again"
            ) from error

    def check_fits(self, network: nn.Module) -> None:
        """Raise a `CheckpointError` that names the first keys that are missing, unknown or of another shape."""
        wanted = self._wanted(network)
        faults: tuple[tuple[str, list[str]], ...] = (
            ("missing", sorted(wanted.keys() - self.values.keys())),
            ("unknown", sorted(self.values.keys() - wanted.keys())),
            (
                "of unexpected shape",
                sorted(key for key, shape in wanted.items() if key in self.values and not self._fits(key, shape)),
            ),
        )
        found = [
            f"{len(keys)} {fault} ({', '.join(key[:80] for key in keys[:3])}{', …' if len(keys) > 3 else ''})"
            for fault, keys in faults
            if keys
        ]
        if found:
            raise CheckpointError(
                f"{self.file} does not fit the network its shapes describe: {'; '.join(found)}. "
                "It may be damaged, quantised in an unknown way, or of another model; download the original file"
            )

    def blocks(self, network: nn.Module, convert: Convert) -> Iterator[dict[str, Tensor]]:
        """Tensors of block after block under our names, converted; each is forgotten here once it is handed out."""
        wanted = self._wanted(network)
        groups: dict[str, list[str]] = {}
        for key in self.values:
            block = BLOCK.match(key)
            groups.setdefault(block[0] if block else key.rpartition(".")[0], []).append(key)
        for keys in groups.values():
            block_state: dict[str, Tensor] = {}
            for key in keys:
                block_state.update(convert(key, self.values.pop(key), wanted[key]))
            yield self.layout.to_ours(block_state)

    def _wanted(self, network: nn.Module) -> dict[str, tuple[int, ...]]:
        """The shapes a network needs, under the file's names."""
        ours = {key: torch.empty(tensor.shape, device="meta") for key, tensor in network.state_dict().items()}
        return {key: tuple(tensor.shape) for key, tensor in self.layout.to_theirs(ours).items()}

    def _fits(self, key: str, shape: tuple[int, ...]) -> bool:
        value = self.values[key]
        return value.fits(shape) if isinstance(value, Packed) else tuple(value.shape) == shape


def open_part(source: Source, part: Part, read: Read = read_safetensors) -> Weights:
    """A network's tensors in a file, a folder, one of its shards or a state dict; anything else is refused by name."""
    metadata: dict[str, str] = {}
    values: dict[str, Value] = {}
    if isinstance(source, Mapping):
        file = "the state dict"
        judge({key: _entry(tensor) for key, tensor in source.items()}, metadata, file).require(part)
        values.update(source)
    else:
        path = Path(source)
        file = path.name
        headers = headers_of(path / part.subfolder if (path / part.subfolder).is_dir() else path)
        verdict_of(list(headers.values()), path).require(part)
        for header in headers.values():
            metadata.update(header.metadata)
        values = read_files(headers, read)
    return _inside(values, metadata, part, file)


def _inside(values: Mapping[str, Value], metadata: Mapping[str, str], part: Part, file: str) -> Weights:
    """The part of a file that one network is made of."""
    located = part.locate(values.keys())
    assert located is not None  # the verdict has seen to it
    prefix, layout = located
    inside = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    plain = {key: value for key, value in inside.items() if isinstance(value, Tensor)}
    packed = {key: value for key, value in inside.items() if isinstance(value, Packed)}
    weights = Weights(file, layout, {**packed, **recognise(plain, metadata, prefix, file)}).without(*part.ignored)
    weights.check_sane()
    return weights


def _entry(tensor: Tensor) -> Entry:
    return Entry(WORDS.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
