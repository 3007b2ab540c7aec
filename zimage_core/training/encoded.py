"""Pictures and captions through the frozen networks, computed once and kept in a folder.

A file's name is a hash of everything its content depends on: the picture's or caption's bytes, the size, and the
network that encoded it. So nothing is ever out of date, and folders can be shared between runs.
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from PIL import Image, ImageOps
from torch import Tensor, nn

from .._shapes import Float
from ..atomic_file import save_tensors
from ..data import Example, bucket_size, fit_to_size
from ..rgb_picture import as_rgb
from ..text import Qwen3, Tokenizer, chunk_templates, truncate
from ..vae import Autoencoder, from_images
from ..vision import Siglip2, prepare
from .encoded_example import EncodedExample, EncodedPicture
from .encoded_files import EncodedCaptions, ExampleFiles, SeenFiles, load_encoded, load_example
from .mask_weights import mask_weights

SAMPLED = 64  # values of each parameter that tell one network from another
[PLAIN_TEMPLATE] = chunk_templates(0)


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """The frozen networks, each with what tells it from others, and a folder for what they compute."""

    encode_picture: Callable[[Float[Tensor, "1 3 h w"]], EncodedPicture]  # of pixels in [-1, 1]
    encode_text: Callable[[str], Float[Tensor, "_ f"]]  # of words in their template
    picture_encoder: bytes  # fingerprints
    text_encoder: bytes
    folder: Path
    encode_vision: Callable[[Float[Tensor, "1 3 h w"]], Float[Tensor, "gh gw s"]] | None = None  # of pixels, too
    vision_encoder: bytes = b""

    def example(self, example: Example, area: int) -> EncodedExample:
        """An example at its bucket's size, at most `area` pixels."""
        return load_example(self.folder, self.files(example, area))

    def caption(self, words: str) -> Float[Tensor, "_ f"]:
        """The features of a text; the empty one stands for a dropped caption."""
        return load_encoded(self.folder, self.caption_file(words))["features"]

    def caption_file(self, words: str) -> str:
        """The name of the file that `caption` reads."""
        return self._text(PLAIN_TEMPLATE.format(words))

    def captions(self, texts: Iterable[str], on_one: Callable[[], object] = lambda: None) -> EncodedCaptions:
        """The features of many texts, read when they are asked for; `on_one` is called after each."""
        names: list[str] = []
        for words in texts:
            names.append(self.caption_file(words))
            on_one()
        return EncodedCaptions(self.folder, names)

    def files(self, example: Example, area: int) -> ExampleFiles:
        """Encode an example, as far as that was not done before, and name its files."""
        templates = chunk_templates(len(example.references))
        template = templates[-2] if example.references else PLAIN_TEMPLATE
        return ExampleFiles(
            picture=self._picture(example.picture, area),
            captions=tuple(self._text(template.format(words)) for words in example.captions),
            seen=self._seen(example, area, templates) if example.references else None,
            weight=self._weight(example.picture, example.mask, area) if example.mask else None,
            repeats=example.repeats,
        )

    def files_at(self, example: Example, size: tuple[int, int]) -> ExampleFiles:
        """The same for a picture that is scaled and cropped to a width and height."""
        name = self._kept(
            lambda: self.encode_picture(pixels_at(example.picture, size))._asdict(),
            *(example.picture.read_bytes(), "x".join(map(str, size)).encode(), self.picture_encoder),
        )
        return ExampleFiles(picture=name, captions=tuple(self.caption_file(words) for words in example.captions))

    def _seen(self, example: Example, area: int, templates: tuple[str, ...]) -> SeenFiles:
        *before, template, after = templates
        return SeenFiles(
            latents=tuple(self._picture(file, area) for file in example.references),
            features=tuple(self._vision(file, area) for file in example.references),
            before=tuple(map(self._text, before)),
            after=self._text(after),
            no_caption=self._text(template.format("")),
        )

    def _picture(self, file: Path, area: int) -> str:
        """The latent of a picture file."""

        def encode() -> dict[str, Tensor]:
            return self.encode_picture(fitted_pixels(file, area))._asdict()

        return self._kept(encode, file.read_bytes(), str(area).encode(), self.picture_encoder)

    def _vision(self, file: Path, area: int) -> str | None:
        """What the vision encoder sees in the part of a picture that its latent shows."""
        if not (look := self.encode_vision):
            return None
        parts = (b"seen", file.read_bytes(), str(area).encode(), self.vision_encoder)
        return self._kept(lambda: {"features": look(fitted_pixels(file, area))}, *parts)

    def _text(self, words: str) -> str:
        return self._kept(lambda: {"features": self.encode_text(words)}, words.encode(), self.text_encoder)

    def _weight(self, picture: Path, mask: Path, area: int) -> str:
        parts = (b"mask", mask.read_bytes(), picture.read_bytes(), str(area).encode())
        return self._kept(lambda: {"weight": mask_weights(open_rgb(mask), open_rgb(picture).size, area, mask)}, *parts)

    def _kept(self, encode: Callable[[], dict[str, Tensor]], *parts: bytes) -> str:
        """The name of a file with what `encode` gives for content of this hash."""
        digest = hashlib.blake2b(digest_size=20)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        name = digest.hexdigest()
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            save_tensors(file, {key: tensor.cpu().contiguous() for key, tensor in encode().items()})
        return name


def encoders_of(
    vae: Autoencoder, text: Qwen3, tokenizer: Tokenizer, folder: Path, tower: Siglip2 | None = None
) -> Encoders:
    """The encoders of a model's folder; without a tower, edits see latents alone."""

    @torch.no_grad()
    def encode_picture(pixels: Float[Tensor, "1 3 h w"]) -> EncodedPicture:
        mean, logvar = vae.posterior(pixels.to(next(vae.parameters())))
        scale = vae.config.scaling_factor
        return EncodedPicture((mean[0] - vae.config.shift_factor) * scale, logvar[0] + 2 * math.log(scale))

    @torch.no_grad()
    def encode_text(words: str) -> Float[Tensor, "_ f"]:
        return text.encode([truncate(tuple(tokenizer(words))).ids])[0]

    @torch.no_grad()
    def encode_vision(pixels: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "gh gw s"]:
        assert tower
        seen = prepare(rearrange(pixels[0] / 2 + 0.5, "c h w -> h w c"), tower.config)
        return tower(seen[None].to(next(tower.parameters())))[0]

    return Encoders(
        encode_picture=encode_picture,
        encode_text=encode_text,
        picture_encoder=fingerprint(vae),
        text_encoder=fingerprint(text),
        folder=folder,
        encode_vision=encode_vision if tower else None,
        vision_encoder=fingerprint(tower) if tower else b"",
    )


def fitted_pixels(file: Path, area: int) -> Float[Tensor, "1 3 h w"]:
    """A picture file at its bucket's size, in [-1, 1]."""
    picture = open_rgb(file)
    try:
        return from_images([fit_to_size(picture, bucket_size(picture.size, area))])
    except ValueError as error:
        raise ValueError(f"{file} cannot be trained on: {error}; replace it or take it away") from error


def pixels_at(file: Path, size: tuple[int, int]) -> Float[Tensor, "1 3 h w"]:
    """A picture file scaled until it covers a width and height, and cropped to them, in [-1, 1]."""
    return from_images([fit_to_size(open_rgb(file), size)])


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
