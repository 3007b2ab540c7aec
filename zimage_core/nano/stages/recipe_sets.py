"""What the recipes of stages 7, 13 and 15 mix, by the names that stand there; latents are cached in a folder."""

from pathlib import Path

import torch

from ...checkpoints import load_text_encoder, load_vae, load_vision
from ...text import load_tokenizer
from ...training.mixture import DrawnExamples
from ..files import TOKENIZER
from . import editing, sizes, transformer


def known_sets(folder: Path, weights: Path) -> dict[str, DrawnExamples]:
    """Pictures of 64 pixels, edits and combinations of three pictures."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    text = load_text_encoder(weights, torch.float32)
    vae, tower = load_vae(weights, torch.float32), load_vision(weights, torch.float32)
    edits = editing.edit_bank(vae, tower, folder / "edits.safetensors")
    combinations = editing.combination_bank(vae, tower, folder / "combinations.safetensors")
    latents = transformer.latent_bank(vae, folder / "latents.safetensors")
    return {
        "nano:all-scenes": transformer.drawn_scenes(latents, text, tokenizer),
        "nano:all-edits": editing.drawn_edits(edits, text, tokenizer, has_features=True),
        "nano:edits-of-latents": editing.drawn_edits(edits, text, tokenizer, has_features=False),
        "nano:combinations": editing.drawn_combinations(combinations, text, tokenizer, has_features=True),
        "nano:combinations-of-latents": editing.drawn_combinations(combinations, text, tokenizer, has_features=False),
    }


def sized_sets(folder: Path, weights: Path) -> dict[str, DrawnExamples]:
    """Those, and pictures of many sizes, of one object and of two."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    text, vae = load_text_encoder(weights, torch.float32), load_vae(weights, torch.float32)
    return {
        **known_sets(folder, weights),
        "nano:scenes-of-sizes": sizes.drawn_sizes(vae, folder / "sizes.safetensors", text, tokenizer),
        "nano:pairs-of-sizes": sizes.drawn_pairs(vae, folder / "pairs.safetensors", text, tokenizer),
    }
