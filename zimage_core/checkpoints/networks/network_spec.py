"""`NetworkSpec`: everything the loaders know of one network, from its files' names to its class."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from ..formats.packed import StoredTensor
from .key_layout import KeyLayout
from .shapes import Depth
from .signature import FileSignature

Config = TypeVar("Config")
Module = TypeVar("Module", bound=nn.Module, covariant=True)


def _same_config(config: Config, tensors: Mapping[str, StoredTensor]) -> Config:
    return config


def _uses_everything(config: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkSpec(Generic[Config, Module]):
    """One network: where its files are, how to recognize them, and how to build it.

    A new network is one file that holds such a record, and one line in this folder's registry.
    """

    # Where artists keep it.
    name: str  # in messages
    folder: str  # ComfyUI's models folder
    other_folders: tuple[str, ...] = ("checkpoints", "diffusers")  # more models folders that may hold it
    gguf_folder: str | None = None  # ComfyUI-GGUF's name for the folder, where GGUF files of the network exist
    subfolder: str  # inside a diffusers pipeline
    example: str  # a published file's name
    name_hints: tuple[str, ...]  # parts of file names; the first file that has one is the dropdown's default
    nano_file: str | None = None  # the built-in model's, inside its folder
    part_of: "AnyNetwork | None" = None  # the network whose files hold this one, too

    # How files hold it.
    prefixes: tuple[str, ...]  # of its keys, longest first
    layouts: tuple[KeyLayout, ...]
    block_lists: tuple[str, ...]  # keys of its lists of blocks in any layout, for counting layers
    ignored: tuple[str, ...] = ()  # beginnings of keys that some files have and no version of the network uses
    look_alikes: tuple[FileSignature, ...] = ()  # other models with the same keys
    releases: tuple[FileSignature, ...] = ()  # for add-ons: names of its versions

    # How it is built.
    depth: Callable[[Mapping[str, Sequence[int]]], Depth] | None = None  # where files may lack layers, from sizes
    read_config: Callable[[Mapping[str, Tensor]], Config]  # from shapes: tensors under the model's keys, without data
    correct_config: Callable[[Config, Mapping[str, StoredTensor]], Config] = _same_config  # by values, file's keys
    unused: Callable[[Config], tuple[str, ...]] = _uses_everything  # beginnings of keys this config leaves out
    build: Callable[..., Module]  # the nn.Module's class: build(config, ops=…, device=…, dtype=…)

    def locate(self, keys: Collection[str]) -> tuple[str, KeyLayout] | None:
        """The prefix and layout under which `keys` hold this network, or None."""
        for prefix in self.prefixes:
            for layout in self.layouts:
                if prefix + layout.unique_key in keys:
                    return prefix, layout
        return None

    def path_in(self, path: Path) -> Path:
        """The network's own folder where `path` is a diffusers pipeline, else `path` itself."""
        return path / self.subfolder if (path / self.subfolder).is_dir() else path


AnyNetwork = NetworkSpec[Any, nn.Module]
