"""Where the built-in model's files lie: loaders list them beside the user's own."""

from pathlib import Path

FOLDER = Path(__file__).parent / "weights"

PARTS = {
    "dit": "diffusion_model.safetensors",
    "text_encoder": "text_encoder.safetensors",
    "vae": "vae.safetensors",
    "tokenizer": "tokenizer",
}
