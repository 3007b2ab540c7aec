"""Pictures and captions as the frozen networks see them, computed once and kept in a folder.

A file's name is a hash of everything its content depends on: the picture's or caption's bytes, the size, and the
network that encoded it. So nothing is ever out of date, and folders can be shared between runs.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor, nn

from .._shapes import Float
from ..atomic_file import save_tensors
from ..data import Example, bucket_size, fit_to_size
from ..rgb_picture import as_rgb
from ..text import Qwen3, Tokenizer, tokenize
from ..vae import Autoencoder, from_images

SAMPLED = 64  # values of each parameter that tell one network from another


class EncodedPicture(NamedTuple):
    """The distribution of a picture's latent in model space; each time it is trained on, a new latent is drawn."""

    mean: Float[Tensor, "z h w"]
    logvar: Float[Tensor, "z h w"]

    def draw(self, generator: torch.Generator) -> Float[Tensor, "z h w"]:
        """A latent, in float32."""
        noise = torch.randn(self.mean.shape, generator=generator)
        return self.mean.float() + (self.logvar.float() / 2).exp() * noise


class EncodedExample(NamedTuple):
    """A picture, and the text features of each of its captions at their exact lengths."""

    picture: EncodedPicture
    captions: tuple[Float[Tensor, "_ f"], ...]


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """The frozen networks, each with what tells it from others, and a folder for what they compute."""

    encode_picture: Callable[[Float[Tensor, "1 3 h w"]], EncodedPicture]  # of pixels in [-1, 1]
    encode_caption: Callable[[str], Float[Tensor, "_ f"]]
    picture_encoder: bytes  # fingerprints
    caption_encoder: bytes
    folder: Path

    def example(self, example: Example, area: int) -> EncodedExample:
        """An example at its bucket's size, at most `area` pixels."""
        return EncodedExample(
            self.picture(example.picture, area), tuple(self.caption(words) for words in example.captions)
        )

    def picture(self, file: Path, area: int) -> EncodedPicture:
        """The latent of a picture file."""

        def encode() -> dict[str, Tensor]:
            picture = open_rgb(file)
            fitted = fit_to_size(picture, bucket_size(picture.size, area))
            return self.encode_picture(from_images([fitted]))._asdict()

        return EncodedPicture(**self._kept(encode, file.read_bytes(), str(area).encode(), self.picture_encoder))

    def caption(self, words: str) -> Float[Tensor, "_ f"]:
        """The features of a text; the empty one stands for a dropped caption."""
        return self._kept(lambda: {"features": self.encode_caption(words)}, words.encode(), self.caption_encoder)[
            "features"
        ]

    def _kept(self, encode: Callable[[], dict[str, Tensor]], *parts: bytes) -> dict[str, Tensor]:
        """What `encode` gives for content that hashes to a file's name."""
        digest = hashlib.blake2b(digest_size=20)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        file = self.folder / f"{digest.hexdigest()}.safetensors"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            save_tensors(file, {name: tensor.cpu().contiguous() for name, tensor in encode().items()})
        return load_file(file)


def encoders_of(vae: Autoencoder, text: Qwen3, tokenizer: Tokenizer, folder: Path) -> Encoders:
    """The encoders of a model's folder."""

    @torch.no_grad()
    def encode_picture(pixels: Float[Tensor, "1 3 h w"]) -> EncodedPicture:
        mean, logvar = vae.posterior(pixels.to(next(vae.parameters())))
        scale = vae.config.scaling_factor
        return EncodedPicture((mean[0] - vae.config.shift_factor) * scale, logvar[0] + 2 * math.log(scale))

    @torch.no_grad()
    def encode_caption(words: str) -> Float[Tensor, "_ f"]:
        return text.encode([tokenize(tokenizer, words).ids])[0]

    return Encoders(
        encode_picture=encode_picture,
        encode_caption=encode_caption,
        picture_encoder=fingerprint(vae),
        caption_encoder=fingerprint(text),
        folder=folder,
    )


def open_rgb(file: Path) -> Image.Image:
    """A picture file as 8-bit RGB, its first frame, turned as its camera says. Raises ValueError with one sentence."""
    try:
        with Image.open(file) as opened:
            return as_rgb(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as a picture ({error}); replace it or take it away") from error


def fingerprint(network: nn.Module) -> bytes:
    """A hash of a network's shapes, types and some of its values."""
    digest = hashlib.blake2b(digest_size=20)
    for name, tensor in network.state_dict().items():
        some = tensor.detach().flatten()[:SAMPLED].float().cpu().numpy().tobytes()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode() + some)
    return digest.digest()
