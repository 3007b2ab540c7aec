"""A picture inside a text: how chat servers are sent one."""

import base64
import io

from PIL import Image

LARGEST = 2048  # pixels a side; larger pictures are shrunk before they are sent


def data_url(picture: Image.Image) -> str:
    """A picture as a PNG in base 64, at most `LARGEST` pixels a side; alpha is left out."""
    rgb = picture.convert("RGB")
    rgb.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    stored = io.BytesIO()
    rgb.save(stored, "PNG")
    return "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode("ascii")
