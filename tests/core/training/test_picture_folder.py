"""Folders of pictures: captions wherever trainers put them, sizes by shape, files of every kind."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from zimage_core.data import Example, bucket_size, fit_to_size, read_picture_folder
from zimage_core.text import tokenize
from zimage_core.training.encoded import encoders_of, open_rgb


def picture(file, mode="RGB", size=(32, 32)):
    Image.new(mode, size).save(file)
    return file


def captions_of(folder, **options):
    return {each.picture.name: each.captions for each in read_picture_folder(folder, **options)}


def test_captions_are_found_beside_pictures_and_in_tables(tmp_path):
    for name in ("a.png", "b.JPG", "c.webp", "d.png", "e.png", "f.png"):
        picture(tmp_path / name)
    (tmp_path / "a.txt").write_bytes("\ufeffa fox,\r\n  in snow\r\n".encode())
    (tmp_path / "b.json").write_text('{"caption": "a bear", "size": 3}')
    (tmp_path / "c.json").write_text('{"captions": {"en": "a cat", "zh": "一只猫"}}')
    (tmp_path / "d.json").write_text('["a dog", "", "the dog"]')
    rows = [{"file_name": "e.png", "text": "an eel"}, {"file_name": "other.png", "text": "not there"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert captions_of(tmp_path, caption="a thing") == {
        "a.png": ("a fox, in snow",),
        "b.JPG": ("a bear",),
        "c.webp": ("a cat", "一只猫"),
        "d.png": ("a dog", "the dog"),
        "e.png": ("an eel",),
        "f.png": ("a thing",),
    }


def test_hidden_files_are_no_pictures(tmp_path):
    for name in ("a.gif", "b.tif", "._a.png"):
        picture(tmp_path / name)
    assert list(captions_of(tmp_path, caption="a thing")) == ["a.gif", "b.tif"]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        read_picture_folder(tmp_path / "gone")
    with pytest.raises(ValueError, match="holds no pictures"):
        read_picture_folder(tmp_path)
    for name in "abcd":
        picture(tmp_path / f"{name}.png")
    (tmp_path / "c.txt").write_text(" \n ")
    picture(tmp_path / "e.png")
    with pytest.raises(ValueError, match=r"4 of 5 pictures .* a\.png, b\.png, d\.png and 1 more.*such as a\.txt"):
        read_picture_folder(tmp_path)
    for name in "abde":
        (tmp_path / f"{name}.txt").write_text("a thing")
    with pytest.raises(ValueError, match=r"c\.txt says nothing of c\.png"):
        read_picture_folder(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00x")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_picture_folder(tmp_path)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        read_picture_folder(tmp_path)


@pytest.mark.parametrize(
    "size", [(1024, 1024), (4000, 3000), (3000, 4000), (1920, 1080), (333, 1000), (100, 60), (16, 16)]
)
def test_a_bucket_keeps_the_shape_within_the_area(size):
    area = 512 * 512
    width, height = bucket_size(size, area)
    assert width % 16 == height % 16 == 0 and width * height <= area
    assert width <= size[0] and height <= size[1]
    if min(size) > 300:
        assert width * height > 0.9 * area
        assert width / height == pytest.approx(size[0] / size[1], rel=0.06)


def test_a_picture_smaller_than_a_patch_is_refused():
    with pytest.raises(ValueError, match="1x1 pixels is too small"):
        bucket_size((1, 1), 512 * 512)


def test_fitting_crops_the_middle_and_keeps_a_fitting_picture():
    gradient = Image.linear_gradient("L").resize((64, 64))
    assert np.array_equal(np.asarray(fit_to_size(gradient, (64, 64))), np.asarray(gradient))
    rows = np.asarray(fit_to_size(gradient, (64, 32)))
    assert np.array_equal(rows, np.asarray(gradient)[16:48])


def test_pictures_of_every_kind_become_rgb(tmp_path):
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((16, 16), 0x8000, np.uint16)).save(deep)
    assert abs(open_rgb(deep).getpixel((0, 0))[0] - 128) <= 1
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(tmp_path / "print.jpg")
    assert open_rgb(tmp_path / "print.jpg").getpixel((0, 0)) == (255, 255, 255)
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(clear)
    assert open_rgb(clear).getpixel((0, 0)) == (255, 255, 255)
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert open_rgb(tmp_path / "moving.webp").getpixel((0, 0)) == (255, 0, 0)
    (tmp_path / "broken.png").write_bytes(clear.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"broken\.png cannot be read as a picture"):
        open_rgb(tmp_path / "broken.png")


def test_what_was_encoded_is_read_again_until_something_changes(tmp_path):
    file = picture(tmp_path / "a.png")
    calls = []

    vae, text = tiny.vae(), tiny.text_encoder()
    posterior, encode = vae.posterior, text.encode
    vae.posterior = lambda x: calls.append("picture") or posterior(x)
    text.encode = lambda ids: calls.append("caption") or encode(ids)

    def tokenizer(words):
        return [ord(letter) % 600 for letter in words]

    def encoded(area):
        example = Example(picture=file, captions=("a fox",))
        return encoders_of(vae, text, tokenizer, tmp_path / "encoded").example(example, area)

    first, again = encoded(1024), encoded(1024)
    assert calls == ["picture", "caption"]
    assert torch.equal(first.picture.mean, again.picture.mean) and torch.equal(first.captions[0], again.captions[0])
    torch.testing.assert_close(first.picture.mean, vae.encode(-torch.ones(1, 3, 32, 32))[0])
    expected = encode([tokenize(tokenizer, "a fox").ids])[0]
    torch.testing.assert_close(first.captions[0], expected)
    Image.new("RGB", (32, 32), "red").save(file)
    encoded(1024)
    encoded(512)
    with torch.no_grad():
        next(vae.parameters()).add_(1)
    encoded(512)
    assert calls[3:] == ["picture"] * 3
