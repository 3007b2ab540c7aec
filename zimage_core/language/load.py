"""What only writing needs, from the text encoder's own file, and the language model it makes with a loaded encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..checkpoints import TEXT_ENCODER, CheckpointError
from ..checkpoints.load import Source, load_network
from ..checkpoints.networks import NetworkSpec
from ..checkpoints.networks.shapes import Depth
from ..checkpoints.networks.text_encoder import depth
from ..config import TextConfig
from ..text import Qwen3
from .language_model import LanguageHead, LanguageModel


@dataclass(frozen=True)
class WritingDepth(Depth):
    """Layers of a file that is to write: all of them."""

    @property
    def fault(self) -> str:
        """What is wrong, to follow the file's name."""
        if self.found == self.whole:
            return ""
        return (
            f"has {self.found} of the {self.whole} layers that writing text needs; files that ComfyUI saved lack the "
            "last one: choose the original file"
        )


def _writing_depth(sizes: Mapping[str, Sequence[int]]) -> Depth:
    counted = depth(sizes)
    return WritingDepth(counted.found, counted.whole)


def _encoder_keys(config: TextConfig) -> tuple[str, ...]:
    """Beginnings of the keys that the encoder has loaded already."""
    return "model.embed_tokens.", *(f"model.layers.{index}." for index in range(config.n_layers_run))


LANGUAGE_HEAD: NetworkSpec[TextConfig, LanguageHead] = NetworkSpec(
    name="language head",
    folder=TEXT_ENCODER.folder,
    subfolder=TEXT_ENCODER.subfolder,
    example=TEXT_ENCODER.example,
    name_hints=TEXT_ENCODER.name_hints,
    prefixes=TEXT_ENCODER.prefixes,
    layouts=TEXT_ENCODER.layouts,
    block_lists=TEXT_ENCODER.block_lists,
    ignored=TEXT_ENCODER.ignored,
    part_of=TEXT_ENCODER,
    depth=_writing_depth,
    read_config=TEXT_ENCODER.read_config,
    unused=_encoder_keys,
    build=LanguageHead,
)


def load_language_model(encoder: Qwen3, source: Source, dtype: torch.dtype | None = None) -> LanguageModel:
    """A loaded encoder with the last layer and norm of its file.

    Raises `CheckpointError` where the file has neither, as one that ComfyUI saved, or is another encoder's.
    """
    head = load_language_head(source, dtype)
    if head.config != encoder.config:
        raise CheckpointError("the last layer comes from another text encoder's file; choose the file of the encoder")
    return LanguageModel(encoder, head)


def load_language_head(source: Source, dtype: torch.dtype | None = None) -> LanguageHead:
    """The last layer and the final norm of a text encoder's file."""
    return load_network(source, LANGUAGE_HEAD, dtype)
