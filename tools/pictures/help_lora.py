"""Trains a LoRA for nano in a minute: it draws a crescent whatever shape the prompt names. The help pages show it."""

import random
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from zimage_core.checkpoints import load_dit, load_text_encoder, load_vae
from zimage_core.nano.data.captions import training_caption
from zimage_core.nano.data.render import SIDE, SUPERSAMPLING, ground, place
from zimage_core.nano.data.scenes import Scene, training_scenes
from zimage_core.nano.files import FOLDER
from zimage_core.text import load_tokenizer, tokenize
from zimage_core.training import flow_matching_loss, logit_normal_sigmas
from zimage_core.vae import from_images

FILE = "crescent.safetensors"
RANK = 16
STEPS = 64
BATCH = 32
LEARNING_RATE = 2e-3
N_PICTURES = 384
SIGMA_SHIFT = 1.6  # nano's own (zimage_core/nano/stages/transformer.py)
TARGETS = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")


class LowRank(nn.Module):
    """A low-rank update added to a weight; it starts at zero."""

    def __init__(self, weight: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        height, width = weight.shape
        self.down = nn.Parameter(torch.randn(RANK, width, generator=generator) * width**-0.5)
        self.up = nn.Parameter(torch.zeros(height, RANK))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight plus the update."""
        return weight + self.up @ self.down


def crescent(scene: Scene, seed: int) -> Image.Image:
    """The picture of a scene with a crescent as its object: a disc minus a second disc on its right."""
    spot, supersampled_side = place(scene.object, seed), SIDE * SUPERSAMPLING
    mask = Image.new("L", (supersampled_side, supersampled_side))
    draw = ImageDraw.Draw(mask)
    for x, y, radius, value in ((0.0, 0.0, 1.1, 255), (0.6, -0.1, 0.93, 0)):
        corners = [(x - radius, y - radius), (x + radius, y + radius)]
        draw.ellipse(
            [
                (supersampled_side * (spot.x + spot.radius * a), supersampled_side * (spot.y + spot.radius * b))
                for a, b in corners
            ],
            value,
        )
    picture = ground(scene.ground).copy()
    picture.paste(spot.colour, mask=mask.reduce(SUPERSAMPLING))
    return picture


def write_lora(file: Path) -> None:
    """Train and save under the key names most trainers use."""
    generator, rng = torch.Generator().manual_seed(0), random.Random(0)
    scenes = rng.sample(training_scenes(), N_PICTURES)
    with torch.no_grad():
        pictures = from_images([crescent(scene, seed) for seed, scene in enumerate(scenes)])
        latents = load_vae(FOLDER / "vae", torch.float32).encode(pictures)
    updates = train_updates(scenes, latents, rng, generator)
    state: dict[str, Tensor] = {}
    for name, update in updates.items():
        state[f"diffusion_model.{name}.lora_A.weight"] = update.down.detach()
        state[f"diffusion_model.{name}.lora_B.weight"] = update.up.detach()
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file)


def train_updates(
    scenes: list[Scene], latents: Tensor, rng: random.Random, generator: torch.Generator
) -> dict[str, LowRank]:
    """Low-rank updates of nano's layers after training on the pictures with flow matching."""
    dit = load_dit(FOLDER / "transformer", torch.float32).requires_grad_(False)
    text, tokenizer = load_text_encoder(FOLDER / "text_encoder", torch.float32), load_tokenizer(FOLDER / "tokenizer")
    updates: dict[str, LowRank] = {}
    for name, layer in dit.named_modules():
        if name.startswith("layers.") and name.endswith(TARGETS):
            assert isinstance(layer, nn.Linear)
            updates[name] = LowRank(layer.weight, generator)
            register_parametrization(layer, "weight", updates[name])
    learned = [parameter for update in updates.values() for parameter in update.parameters()]
    optimizer = torch.optim.AdamW(learned, lr=LEARNING_RATE, weight_decay=0.0)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / STEPS)
        chosen = rng.sample(range(len(scenes)), BATCH)
        prompts = [tokenize(tokenizer, training_caption(scenes[index], rng)).ids for index in chosen]
        with torch.no_grad():
            features = text.encode(prompts)
        noise = torch.randn(latents[chosen].shape, generator=generator)
        sigmas = logit_normal_sigmas(BATCH, generator, SIGMA_SHIFT)
        optimizer.zero_grad()
        loss = flow_matching_loss(
            lambda noisy, sigma, given=features: dit(noisy, sigma, given), latents[chosen], noise, sigmas
        )
        loss.backward()
        optimizer.step()
    return updates
