"""nano's checker as a score of a prompt: the share of what it says of nano's world that a picture shows."""

from collections.abc import Sequence

from PIL import Image

from ...scoring.score import Measurement, Request
from ..data.caption_reading import stated
from ..data.captions import ENGLISH, fill
from ..data.picture_captions import TEMPLATES
from ..data.render import at_renderers_side
from .checker import recognize
from .edit_checker import recognize_objects
from .scene_score import READER

TAGS = TEMPLATES["en"]["tags"]  # of which a Chinese page shows each in Chinese
NOTHING_SAID = "the prompt names no shape that nano draws (circle, square, triangle, star, heart, ring)"


class PromptScore:
    """1 where shape, colour, size, place and ground are as the prompt says; what it leaves open does not count."""

    name, reader, higher_is_better = "nano's scene", READER, True

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """Pictures of other sizes are looked at in the renderer's; those that are not square have no number."""
        return [_measured(*each) for each in zip(pictures, requests, strict=True)]


def _measured(picture: Image.Image, request: Request) -> Measurement:
    try:
        wanted = stated(request.prompt)
    except ValueError as error:
        return Measurement.missing(str(error))
    if not wanted:
        return Measurement.missing(NOTHING_SAID)
    if picture.width != picture.height:
        return Measurement.missing(
            f"nano's checker reads square pictures, but this one has {picture.width}x{picture.height} pixels"
        )
    small = at_renderers_side(picture)
    ground, objects = recognize_objects(small)
    if not objects:  # which `recognize` would take for the shape nearest to nothing
        parts = {name: int(name == "ground" and value == ground) for name, value in wanted.items()}
        return Measurement(value=sum(parts.values()) / len(parts), parts=parts, notes=f"nothing {ENGLISH[ground][0]}")
    seen = recognize(small)
    parts = {name: int(getattr(seen, name) == value) for name, value in wanted.items()}
    return Measurement(value=sum(parts.values()) / len(parts), parts=parts, notes=fill(TAGS, seen, "en", None))
