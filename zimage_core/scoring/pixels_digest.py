"""What tells one picture from another for scores, whatever file it came from."""

import hashlib

from PIL import Image


def pixels_digest(picture: Image.Image) -> str:
    """The SHA-256 of a picture's size and RGB pixels."""
    return hashlib.sha256(repr(picture.size).encode() + picture.convert("RGB").tobytes()).hexdigest()
