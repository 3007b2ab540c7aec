"""Where the built-in model's files lie. The folder is laid out as diffusers lays out its own, so every loader takes it."""

from pathlib import Path

FOLDER = Path(__file__).parent / "weights"

DIT = Path("transformer/diffusion_model.safetensors")
TEXT_ENCODER = Path("text_encoder/model.safetensors")
VAE = Path("vae/vae.safetensors")
TOKENIZER = Path("tokenizer")
