"""Columns of `data profile` by models: planted cases are found, sources told, and only what is new is computed."""

import json
import re
from hashlib import sha256
from html import escape
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from onnx_by_hand import colour_classifier, told_faces
from PIL import Image
from safetensors.torch import save_file
from tiny_clip import save_tiny

from zimage_core.cli import main
from zimage_core.curation.profiling import profile
from zimage_core.nano.data.captions import ENGLISH_TEMPLATES, fill
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene, training_scenes
from zimage_core.scoring.features import ClipFolder

PICTURES, SWAPPED = 20, (3, 4)  # two pictures have each other's captions
SCARLET = "07.png"


def caption(scene: Scene) -> str:
    return fill(ENGLISH_TEMPLATES[0], scene, "en", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Renders with captions, two of which are swapped, and one picture that is all red."""
    folder = tmp_path_factory.mktemp("learned") / "pictures"
    folder.mkdir()
    scenes = training_scenes()[: PICTURES * 40 : 40]
    for number, scene in enumerate(scenes):
        said = scenes[sum(SWAPPED) - number] if number in SWAPPED else scene
        render(scene, number).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(caption(said))
    Image.new("RGB", (64, 64), (250, 0, 0)).save(folder / SCARLET)
    (folder / "empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A head over nano's features, a classifier of colours, and a finder of faces, all with known weights."""
    place = tmp_path_factory.mktemp("models")
    generator = torch.Generator().manual_seed(0)
    head = {"weight": torch.randn(1, 48, generator=generator), "bias": torch.tensor([0.3])}
    save_file(head, place / "head.safetensors")
    weight = np.array([[0.0, 60.0], [0.0, -60.0], [0.0, -60.0]])
    colour_classifier(place / "red.onnx", weight, np.array([0.0, -50.0]))
    told_faces(place / "yunet.onnx", 64, {8: [(2, 3, 0.9, (0.5, 0.5, 0.0, 0.0))]})
    return place, head


def run(folder, out, *more):
    return main(["data", "profile", str(folder), "--out", str(out), *map(str, more)])


def rows_of(out):
    return {Path(row["path"]).name: row for row in pyarrow.parquet.read_table(out).to_pylist()}


def test_columns_are_what_was_planted_and_tell_their_source(folder, models, tmp_path, capsys):
    place, head = models
    out = tmp_path / "X.parquet"
    columns = ("scene", f"red={place / 'red.onnx'}", f"faces={place / 'yunet.onnx'}")
    more = (f"nsfw={place / 'head.safetensors'}", f"aesthetic={place / 'head.safetensors'}", "--with", "nano")
    assert run(folder, out, "--learned", *columns, *more, "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows, schema = rows_of(out), pyarrow.parquet.read_schema(out)
    assert rows["empty.png"]["scene"] is None and rows["empty.png"]["red"] is None
    low = {name for name, row in rows.items() if row["scene"] is not None and row["scene"] < 1}
    assert {f"{number:02d}.png" for number in SWAPPED} <= low <= {f"{number:02d}.png" for number in SWAPPED} | {SCARLET}
    red = {name: row["red"] for name, row in rows.items() if name != "empty.png"}
    colour = np.array([250, 0, 0]) / 255
    assert red[SCARLET] == pytest.approx(1 / (1 + np.exp(50 - 60 * colour[0])), rel=1e-4)
    assert [each["count"] for each in found["proposals"] if each["column"] == "red"] == [1]
    assert {row["faces"] for name, row in rows.items() if name != "empty.png"} == {1.0}

    assert main(["data", "embed", str(out), "--out", str(tmp_path / "Y.parquet"), "--with", "nano"]) == 0
    vectors = {Path(row["path"]).name: row["vector"] for row in rows_of(tmp_path / "Y.parquet").values()}
    logits = {name: float(torch.tensor(each) @ head["weight"][0] + head["bias"][0]) for name, each in vectors.items()}
    assert len(logits) == PICTURES
    for name, logit in logits.items():
        assert rows[name]["aesthetic"] == pytest.approx(logit, abs=1e-4)
        assert rows[name]["nsfw"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)

    for column, file in (("red", "red.onnx"), ("nsfw", "head.safetensors"), ("faces", "yunet.onnx")):
        source = schema.field(column).metadata[b"source"].decode()
        digest = sha256((place / file).read_bytes()).hexdigest()[:12]
        assert f"{file} sha256 {digest}" in source and escape(source) in out.with_suffix(".html").read_text("utf-8")
    assert b"nano's SigLIP" in schema.field("nsfw").metadata[b"source"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["X.html", "X.parquet", "Y.parquet"]


def test_similarity_is_the_lowest_cosine_of_a_pictures_captions_and_features_are_made_once(tmp_path, monkeypatch):
    """Words and pictures by transformers' own functions; a head over the same features costs no second look."""
    save_tiny(tmp_path / "clip", "clip")
    weight = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    save_file({"weight": weight, "bias": torch.zeros(1)}, tmp_path / "head.safetensors")
    folder, out = tmp_path / "pictures", tmp_path / "X.parquet"
    folder.mkdir()
    said = {"0.png": ("a red dog",), "1.png": ("two blue object", "a photo of red"), "2.png": ()}
    pictures = {name: render(scene, 0) for name, scene in zip(said, training_scenes()[:300:100], strict=True)}
    for name, picture in pictures.items():
        picture.save(folder / name)
        (folder / name).with_suffix(".json").write_text(json.dumps({"captions": said[name]}))
    looked = []
    by_folder = ClipFolder.pictures
    monkeypatch.setattr(ClipFolder, "pictures", lambda self, some: looked.append(len(some)) or by_folder(self, some))
    more = ("--with", tmp_path / "clip", "--device", "cpu")
    assert run(folder, out, "--learned", f"aesthetic={tmp_path / 'head.safetensors'}", "similarity", *more) == 0
    rows, clip = rows_of(out), ClipFolder(tmp_path / "clip")
    for name, picture in pictures.items():
        [seen] = by_folder(clip, [picture])
        cosines = [float(seen @ words) for words in clip.words(said[name])] if said[name] else []
        expected = pytest.approx(min(cosines), abs=1e-5) if cosines else None
        assert rows[name]["similarity"] == expected
        assert rows[name]["aesthetic"] == pytest.approx(float(seen @ weight[0]), abs=1e-5)
    assert b"clip sha256" in pyarrow.parquet.read_schema(out).field("similarity").metadata[b"source"]
    assert looked == [1, 1, 3]  # two trials, then all pictures


def asked(*_):
    raise ValueError("a model was loaded")


def test_a_new_column_costs_only_its_own_model(folder, models, tmp_path, monkeypatch):
    place, _ = models
    out, plain = tmp_path / "X.parquet", tmp_path / "plain.parquet"
    red = f"red={place / 'red.onnx'}"
    assert run(folder, out, "--learned", red) == 0 and run(folder, plain) == 0
    monkeypatch.setattr(profile, "row_of", None)  # nothing is measured a second time
    monkeypatch.setattr("zimage_core.commands.data_learned.class_by_onnx", asked)
    before = rows_of(out)
    assert run(folder, out, "--learned", red) == 0
    assert run(folder, out, "--learned", red, f"faces={place / 'yunet.onnx'}") == 1  # try_out asks every model
    monkeypatch.undo()
    monkeypatch.setattr(profile, "row_of", None)
    assert run(folder, out, "--learned", red, f"faces={place / 'yunet.onnx'}") == 0
    after = rows_of(out)
    assert all(after[name] == {**row, "faces": None if row["problem"] else 1.0} for name, row in before.items())
    assert run(folder, out) == 0 and rows_of(out) == rows_of(plain)


def test_another_caption_gives_another_number(folder, tmp_path):
    out, text = tmp_path / "X.parquet", folder / "00.txt"
    before = text.read_text()
    assert run(folder, out, "--learned", "scene") == 0 and rows_of(out)["00.png"]["scene"] == 1
    text.write_text((folder / "05.txt").read_text())
    try:
        assert run(folder, out, "--learned", "scene") == 0 and rows_of(out)["00.png"]["scene"] < 1
    finally:
        text.write_text(before)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--learned", "nsfw"], "needs a file of yours"),
        (["--learned", "nsfw=gone.onnx"], "there is no file gone.onnx"),
        (["--learned", "sharpness=x.onnx"], "cannot be a learned column"),
        (["--learned", "similarity"], "name it with --with"),
        (["--learned", "similarity", "--with", "nano"], "knows no words"),
        (["--learned", "text_share=me"], "there is no reader 'me'"),
        (["--learned", "scene", "scene"], "names the column scene twice"),
        (["--learned", "nsfw={models}/yunet.onnx"], "9 classes|classes without names|no class 'nsfw'"),
        (["--with", "nano"], "is the encoder of --learned"),
    ],
)
def test_what_cannot_be_a_column_is_told_before_anything_is_measured(folder, models, tmp_path, capsys, given, told):
    given = [each.replace("{models}", str(models[0])) for each in given]
    assert run(folder, tmp_path / "X.parquet", *given) == 1
    assert re.search(told, capsys.readouterr().err) and not list(tmp_path.iterdir())
