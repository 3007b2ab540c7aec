"""Where the built-in model's files are. They are in a diffusers pipeline's layout, so every loader takes them."""

from pathlib import Path

from ..checkpoints.networks import AnyNetwork

FOLDER = Path(__file__).parent / "weights"
TOKENIZER = Path("tokenizer")
PREVIEW = Path("preview/linear_decoder.safetensors")
TURBO = Path("loras/nano-turbo.safetensors")  # draws in few steps


def file_of(network: AnyNetwork, folder: Path = FOLDER) -> Path:
    """The file of one of the built-in model's networks."""
    if network.nano_file is None:
        raise ValueError(f"the built-in model has no {network.name}")
    return folder / network.nano_file
