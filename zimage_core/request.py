"""What one run of `generate` is given, checked and completed by defaults before any network is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from .adapters import Lora
from .checkpoints import DIT, open_network
from .config import NANO_SIDE
from .nano.files import FOLDER as NANO_FOLDER
from .quant import Scheme
from .sampling import BASE, NANO, OMNI, TURBO, Preset, StepCache
from .text import PromptTokens, load_tokenizer, tokenize_chunks
from .vae import crop_to_patches

SIDE_MULTIPLE = 16  # pixels: 8 of a latent cell, 2 cells of a patch


@dataclass(frozen=True, kw_only=True)
class Request:
    """A prompt as tokens, and all choices of a run."""

    folder: Path
    prompts: Sequence[Sequence[PromptTokens]]  # the positive and the negative one, each as its chunks
    references: Sequence[Image.Image]
    size: tuple[int, int]  # width and height in pixels
    preset: Preset
    steps: int | None  # None: the preset's
    seed: int
    device: torch.device
    dtype: torch.dtype
    scheme: Scheme | None
    cache: StepCache
    loras: Sequence[tuple[Lora, float]]  # with their strengths

    def __post_init__(self) -> None:
        width, height = self.size
        if width < 1 or height < 1 or width % SIDE_MULTIPLE or height % SIDE_MULTIPLE:
            raise ValueError(
                f"a picture of {width}x{height} pixels cannot be made: choose sides that are multiples of "
                f"{SIDE_MULTIPLE}"
            )


def model_folder(model: str | Path) -> Path:
    """The folder of a model's files."""
    folder = NANO_FOLDER if model == "nano" else Path(model)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no model folder {folder}: give nano, or one laid out as diffusers does")
    return folder


def has_vision(folder: Path) -> bool:
    """Whether a model's transformer looks at pictures through a vision encoder, as those of Omni and Edit do.

    Others look at their latents alone, which they may have been taught by pairs.
    """
    return open_network(folder / "transformer", DIT).config.siglip_feat_dim is not None


def tokenize_prompts(folder: Path, prompts: Sequence[str], n_references: int) -> list[list[PromptTokens]]:
    """Each prompt's chunks of tokens, by the tokenizer of a model's folder."""
    try:
        tokenizer = load_tokenizer(folder / "tokenizer")
    except (OSError, ValueError):
        raise
    except Exception as error:  # the tokenizers library raises nothing more specific for a damaged file
        raise ValueError(f"the tokenizer in {folder} is damaged ({error}); copy that of the release again") from error
    return [tokenize_chunks(tokenizer, prompt, n_references) for prompt in prompts]


def default_preset(model: str | Path, references: Sequence[Image.Image]) -> Preset:
    """The released settings of the variant that a model's name and references stand for."""
    if model == "nano":
        return NANO
    if references and has_vision(model_folder(model)):
        return OMNI
    return TURBO if "turbo" in str(model).lower() else BASE


def default_size(model: str | Path, references: Sequence[Image.Image]) -> tuple[int, int]:
    """Width and height: the last reference's, or the one the model was trained for."""
    if references:
        return crop_to_patches(references[-1]).size
    return (NANO_SIDE, NANO_SIDE) if model == "nano" else (1024, 1024)
