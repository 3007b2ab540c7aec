"""A LoRA's small picture: beside the file, in its header, or none, whatever stands there."""

import base64
import json
from io import BytesIO

import pytest
from PIL import Image

from zimage_core.checkpoints import preview

COLOURS = {"PNG": (200, 40, 40), "JPEG": (40, 200, 40), "WEBP": (40, 40, 200)}


def encoded(kind, size=(600, 300)):
    written = BytesIO()
    Image.new("RGB", size, COLOURS[kind]).save(written, format=kind)
    return written.getvalue()


def in_header(data):
    return {"modelspec.thumbnail": f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"}


def colour(small):
    """The name of the colour that a small picture has, of the size it must have."""
    picture = Image.open(BytesIO(small))
    assert picture.format == "WEBP" and picture.size == (256, 128)
    found = picture.convert("RGB").getpixel((9, 9))
    return min(COLOURS, key=lambda kind: sum(abs(a - b) for a, b in zip(COLOURS[kind], found, strict=True)))


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".preview.webp", "WEBP")])
def test_a_picture_beside_the_file_is_shrunk(tmp_path, ending, kind):
    (tmp_path / f"v1.2 {ending}").write_bytes(encoded("PNG"))  # another file's
    (tmp_path / f"v1.2{ending}").write_bytes(encoded(kind))
    assert colour(preview(tmp_path / "v1.2.safetensors", {})) == kind


def test_a_preview_precedes_a_picture_which_precedes_the_header(tmp_path):
    file, header = tmp_path / "a.safetensors", in_header(encoded("JPEG"))
    assert colour(preview(file, header)) == "JPEG"
    covers = json.dumps(["no base64", base64.b64encode(encoded("WEBP")).decode()])
    assert colour(preview(file, {"ssmd_cover_images": covers})) == "WEBP"
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert colour(preview(file, header)) == "JPEG"
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    assert colour(preview(file, header)) == "PNG"
    (tmp_path / "a.preview.webp").write_bytes(encoded("WEBP"))
    assert colour(preview(file, header)) == "WEBP"


def test_transparency_stays(tmp_path):
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert Image.open(BytesIO(preview(tmp_path / "a.safetensors", {}))).getpixel((5, 5))[3] == 0


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"modelspec.thumbnail": "https://example.org/a.jpg"},
        {"modelspec.thumbnail": "data:image/jpeg;base64,%%%"},
        {"modelspec.thumbnail": "data:text/html;base64,PGI+"},
        {"ssmd_cover_images": "[" * 100_000},
        {"ssmd_cover_images": '{"a": 1}'},
        {"ssmd_cover_images": "[1, null]"},
        in_header(encoded("JPEG")[:300]),
        in_header(b"GIF89a" + bytes(40)),
    ],
)
def test_what_is_no_picture_is_none(tmp_path, metadata):
    assert preview(tmp_path / "a.safetensors", metadata) is None


def test_a_link_out_of_the_folder_a_folder_and_a_huge_picture_are_not_read(tmp_path):
    folder = tmp_path / "loras"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "a.jpg").mkdir()
    (folder / "a.webp").symlink_to("nowhere")
    assert preview(folder / "a.safetensors", {}) is None
    assert preview(folder / "b.safetensors", in_header(encoded("PNG", (16_000, 5_000)))) is None
