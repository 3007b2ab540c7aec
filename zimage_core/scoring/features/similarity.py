"""How well a picture fits its prompt, by CLIP or SigLIP; and an object's colour, as GenEval asks CLIP for it."""

from collections.abc import Sequence

from PIL import Image

from ..detection import Detection
from ..score import NO_PROMPT, Measurement, Request
from .encoder import ClipFolder, WordEncoder

CLIP_SCORE = 2.5  # CLIPScore's factor (arXiv 2104.08718)
PREFIX = "A photo depicts "  # CLIPScore's, which CVTG-2K uses too
COLOUR_PHRASES = (
    "a photo of a {colour} {name}",
    "a photo of a {colour}-colored {name}",
    "a photo of a {colour} object",
)


class SimilarityScore:
    """Cosine between a picture and its prompt; CLIPScore, 2.5 times what of it is positive, among the parts."""

    name, higher_is_better = "similarity", True

    def __init__(self, encoder: WordEncoder, prefix: str = "") -> None:
        self.encoder, self.prefix = encoder, prefix

    @property
    def reader(self) -> str:
        """The model's folder, and what is put before each prompt."""
        return self.encoder.name + (f", after {self.prefix.strip()!r}" if self.prefix else "")

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; a request without a prompt has none."""
        asked = [
            (picture, request.prompt) for picture, request in zip(pictures, requests, strict=True) if request.prompt
        ]
        if not asked:
            return [NO_PROMPT for _ in requests]
        seen = self.encoder.pictures([picture for picture, _ in asked])
        said = self.encoder.words([self.prefix + prompt for _, prompt in asked])
        cosines = iter((seen * said).sum(-1).tolist())
        return [measured(next(cosines)) if request.prompt else NO_PROMPT for request in requests]


def measured(cosine: float) -> Measurement:
    """A cosine as a measurement."""
    return Measurement(value=cosine, parts={"CLIPScore": CLIP_SCORE * max(cosine, 0.0)})


class ClipColours:
    """Colours by the phrase that fits an object's part of the picture best, the mean of three phrasings for each."""

    def __init__(self, encoder: ClipFolder) -> None:
        self.encoder, self.name = encoder, encoder.name

    def colours(self, picture: Image.Image, found: Sequence[Detection], names: Sequence[str]) -> Sequence[str]:
        """For each object one of the names; the whole box is looked at, as boxes carry no masks."""
        if not found:
            return []
        crops = [picture.crop(tuple(round(edge) for edge in each.box)) for each in found]  # pyright: ignore[reportArgumentType]
        seen = self.encoder.pictures(crops)
        chosen: list[str] = []
        for each, vector in zip(found, seen, strict=True):
            phrases = [phrase.format(colour=colour, name=each.name) for colour in names for phrase in COLOUR_PHRASES]
            said = self.encoder.words(phrases).unflatten(0, (len(names), len(COLOUR_PHRASES))).mean(1)
            said = said / said.norm(dim=-1, keepdim=True)
            chosen.append(names[int((said @ vector).argmax())])
        return chosen
