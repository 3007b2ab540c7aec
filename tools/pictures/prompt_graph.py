"""Builds the node graphs, in API form, that draw the help pages' pictures with nano."""

from dataclasses import dataclass
from typing import Any

from ..workflows import Prompt

NANO = "nano (built in)"
NANO_MEGAPIXELS = 0.004

Link = tuple[str, int]


@dataclass(frozen=True)
class Node:
    """A node's id; indexing it gives the link to one of its outputs."""

    name: str

    def __getitem__(self, output: int) -> Link:
        return self.name, output


class PromptGraph:
    """A node graph in API form under construction; it starts with nano's loaders."""

    def __init__(self) -> None:
        self.prompt: Prompt = {}
        self.model = self.add("ZImageModelLoader", model_name=NANO, precision="automatic")[0]
        self.clip = self.add("ZImageTextEncoderLoader", text_encoder_name=NANO)[0]
        self.vae = self.add("ZImageVAELoader", vae_name=NANO)[0]

    def add(self, class_type: str, **inputs: Any) -> Node:
        """Add a node."""
        name = f"{len(self.prompt)} {class_type}"
        self.prompt[name] = {"class_type": class_type, "inputs": inputs}
        return Node(name)

    def encode(self, prompt: str) -> Link:
        """Encode a prompt."""
        return self.add("ZImageTextEncode", clip=self.clip, prompt=prompt, long_prompts="keep every token")[0]

    def empty(self, ratio: str = "1:1", megapixels: float = NANO_MEGAPIXELS, batch_size: int = 1) -> Link:
        """Add an empty latent."""
        return self.add("ZImageEmptyLatent", ratio=ratio, megapixels=megapixels, batch_size=batch_size)[0]

    def sample(self, prompt: str, negative: str = "", **changes: Any) -> Node:
        """Z-Image Sampler with nano's own settings except for `changes`."""
        # fmt: off
        inputs = {
            "model": self.model, "seed": 7, "steps": 20, "cfg": 3.0, "solver": "euler", "shift": 3.0, "strength": 1.0,
            "cfg_normalization": 0.0, "cfg_truncation": 1.0, "cfg_start": 0.0, **changes,
        }
        # fmt: on
        inputs.setdefault("latent", self.empty())
        return self.add("ZImageSampler", positive=self.encode(prompt), negative=self.encode(negative), **inputs)

    def turbo(self, prompt: str, **changes: Any) -> Node:
        """Z-Image Turbo Sampler with Turbo's settings except for `changes`."""
        inputs = {
            "model": self.model,
            "seed": 7,
            "steps": 8,
            "solver": "euler",
            "shift": 3.0,
            "strength": 1.0,
            **changes,
        }
        inputs.setdefault("latent", self.empty())
        inputs.setdefault("positive", self.encode(prompt))
        return self.add("ZImageTurboSampler", **inputs)

    def decode(self, latent: Link, tile_size: int = 0) -> Link:
        """Decode a latent."""
        return self.add("ZImageVAEDecode", latent=latent, vae=self.vae, tile_size=tile_size)[0]

    def picture(self, prompt: str, **changes: Any) -> Link:
        """Nano's picture of a prompt."""
        return self.decode(self.sample(prompt, **changes)[0])
