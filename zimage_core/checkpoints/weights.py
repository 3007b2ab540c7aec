"""`Weights`: one network's tensors as its file holds them, checked against the network and converted block by block.

A block's tensors are renamed, unpacked and cast together, then released: only the finished network grows, so no file
is ever in memory twice.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .formats.errors import CheckpointError, one_line
from .formats.packed import PackedWeight, StoredTensor
from .networks.key_layout import KeyLayout

# A file's key, its tensor and the shape the network needs -> tensors under keys of the file's layout.
Convert = Callable[[str, StoredTensor, tuple[int, ...]], Mapping[str, Tensor]]

FLOAT_DTYPES = frozenset(
    (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
)
MAX_BLOCKS = 1000  # far above any model; a damaged file may number more than can be built
BLOCK = re.compile(r".*?\.\d+(?=\.)")  # up to the first number; key layouts merge tensors only inside such a block


@dataclass(frozen=True)
class Weights:
    """A network's tensors under the file's keys, without their prefix. `blocks` takes them out as it goes."""

    file: str
    layout: KeyLayout
    tensors: dict[str, StoredTensor]

    @property
    def n_parameters(self) -> int:
        """How many values the tensors have."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    def storage_dtype(self) -> torch.dtype:
        """The type most values are stored in; packed weights count as bfloat16, which they are unpacked to."""
        return self._most_common(lambda dtype: dtype)

    def compute_dtype(self) -> torch.dtype:
        """The type to compute in: as `storage_dtype`, but 8-bit floats count as bfloat16 too."""
        return self._most_common(lambda dtype: dtype if dtype.itemsize > 1 else torch.bfloat16)

    def _most_common(self, counted_as: Callable[[torch.dtype], torch.dtype]) -> torch.dtype:
        sizes: dict[torch.dtype, int] = {}
        for tensor in self.tensors.values():
            dtype = counted_as(tensor.dtype) if isinstance(tensor, Tensor) else torch.bfloat16
            sizes[dtype] = sizes.get(dtype, 0) + math.prod(tensor.shape)
        return max(sizes, key=lambda dtype: sizes[dtype], default=torch.bfloat16)

    def shapes(self) -> dict[str, Tensor]:
        """Tensors under the model's keys, on the meta device."""
        shapes = {key: torch.empty(tensor.shape, device="meta") for key, tensor in self.tensors.items()}
        try:
            return self.layout.to_model(shapes)
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.file} has matrices that do not fit together ({one_line(error)}); download it again"
            ) from error

    def without(self, *prefixes: str) -> "Weights":
        """Without the tensors that the network does not use: those whose keys in the model begin with a prefix."""
        placeholder = torch.empty(0, device="meta")
        tensors = {
            key: tensor
            for key, tensor in self.tensors.items()
            if not any(name.startswith(prefixes) for name in self.layout.to_model({key: placeholder}))
        }
        return replace(self, tensors=tensors)

    def check_plausible(self) -> None:
        """Refuse what no network can be built from: empty tensors, integers without a scale, thousands of blocks."""
        for key, tensor in self.tensors.items():
            if 0 in tensor.shape:
                raise CheckpointError(f"{self.file} has nothing in its tensor {key[:80]}; download it again")
            if isinstance(tensor, Tensor) and tensor.dtype not in FLOAT_DTYPES:
                raise CheckpointError(
                    f"{self.file} keeps {key[:80]} as {str(tensor.dtype).removeprefix('torch.')} without saying how to "
                    "turn it into weights; get the file in a common format such as bf16"
                )
        n_blocks = len({block[0] for key in self.tensors if (block := BLOCK.match(key))})
        if n_blocks > MAX_BLOCKS:
            raise CheckpointError(f"{self.file} has {n_blocks:,} blocks, more than any such network; download it again")

    def check_fits(self, skeleton: nn.Module) -> None:
        """Raise a `CheckpointError` that names the first keys that are missing, unknown or of another shape."""
        needed = self._needed_shapes(skeleton)
        faults: tuple[tuple[str, list[str]], ...] = (
            ("missing", sorted(needed.keys() - self.tensors.keys())),
            ("unknown", sorted(self.tensors.keys() - needed.keys())),
            (
                "of unexpected shape",
                sorted(key for key, shape in needed.items() if key in self.tensors and not self._fits(key, shape)),
            ),
        )
        named = [
            f"{len(keys)} {fault} ({', '.join(key[:80] for key in keys[:3])}{', …' if len(keys) > 3 else ''})"
            for fault, keys in faults
            if keys
        ]
        if named:
            raise CheckpointError(
                f"{self.file} does not fit the network its shapes describe: {'; '.join(named)}. "
                "It may be damaged, quantised in an unknown way, or of another model; download the original file"
            )

    def blocks(self, skeleton: nn.Module, convert: Convert) -> Iterator[dict[str, Tensor]]:
        """One block after the other, converted, under the model's keys; what is handed out is released here."""
        needed = self._needed_shapes(skeleton)
        groups: dict[str, list[str]] = {}
        for key in self.tensors:
            block = BLOCK.match(key)
            groups.setdefault(block[0] if block else key.rpartition(".")[0], []).append(key)
        for keys in groups.values():
            block_state: dict[str, Tensor] = {}
            for key in keys:
                block_state.update(convert(key, self.tensors.pop(key), needed[key]))
            yield self.layout.to_model(block_state)

    def _needed_shapes(self, skeleton: nn.Module) -> dict[str, tuple[int, ...]]:
        """The shapes a network needs, under the file's keys."""
        state = {key: torch.empty(tensor.shape, device="meta") for key, tensor in skeleton.state_dict().items()}
        return {key: tuple(tensor.shape) for key, tensor in self.layout.to_file(state).items()}

    def _fits(self, key: str, shape: tuple[int, ...]) -> bool:
        tensor = self.tensors[key]
        return tensor.fits(shape) if isinstance(tensor, PackedWeight) else tuple(tensor.shape) == shape
