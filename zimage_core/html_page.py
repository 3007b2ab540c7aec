"""A page for a browser that needs nothing else: its style, and pictures inside it, made smaller."""

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image

HEAD = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="zimage">'
THUMBNAIL, QUALITY = 224, 82  # pixels; of JPEG
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .7rem; border-bottom: 1px solid #8885; }
th { text-align: left; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.case { display: flex; flex-wrap: wrap; gap: .7rem; border-top: 1px solid #8885; padding: .8rem 0; }
.case p { flex-basis: 100%; margin: 0; white-space: pre-wrap; } figure { margin: 0; max-width: 224px; }
figcaption, .small { font-size: .85em; opacity: .8; } img { max-width: 100%; }
"""


def page(title: str, body: str) -> str:
    """A complete page around a body."""
    return f"{HEAD}<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"


def is_page(file: Path) -> bool:
    """Whether a file begins as `page` does, so that it may be written anew."""
    with file.open("rb") as opened:
        return opened.read(len(HEAD)) == HEAD.encode()


def figure_html(picture: Image.Image | None, caption: str) -> str:
    """A picture inside the page, or a word that there is none."""
    image = f'<img alt="" src="{data_address(picture)}">' if picture else '<span class="small">no picture</span>'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def data_address(picture: Image.Image) -> str:
    """A picture's address that holds the picture."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    stored = io.BytesIO()
    small.save(stored, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stored.getvalue()).decode()}"
