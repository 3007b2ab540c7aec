"""Where the built-in model's files lie: laid out as diffusers lays out its folders, so every loader takes them."""

from pathlib import Path

FOLDER = Path(__file__).parent / "weights"

DIT = Path("transformer/diffusion_model.safetensors")
TEXT_ENCODER = Path("text_encoder/model.safetensors")
VAE = Path("vae/vae.safetensors")
VISION = Path("siglip/vision.safetensors")
TOKENIZER = Path("tokenizer")
