"""Search: hits against brute force, words against captions that are known, the page and what is refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from tiny_clip import save_tiny

from zimage_core.cli import main
from zimage_core.curation.engine.output import row_groups
from zimage_core.curation.search import ByVectors
from zimage_core.curation.search.query import Hit
from zimage_core.curation.search.search import best
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import training_scenes
from zimage_core.scoring.features import ClipFolder

SCENES = training_scenes()[::97]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Renders with captions in both languages, a few without, and their vectors."""
    root = tmp_path_factory.mktemp("searched")
    folder = root / "pictures"
    folder.mkdir()
    for number, scene in enumerate(SCENES):
        render(scene, number).save(folder / f"{number:02d}.png")
        if number % 5:
            said = {"en": f"a {scene.colour} {scene.shape}", "zh": "一只狐狸" if number == 7 else "一个形状"}
            (folder / f"{number:02d}.json").write_text(json.dumps(said))
    assert main(["data", "profile", str(folder), "--out", str(root / "X.parquet")]) == 0
    assert main(["data", "embed", str(root / "X.parquet"), "--out", str(root / "Y.parquet")]) == 0
    return root


def search(capsys, embedded, out, *arguments):
    assert main(["data", "search", str(embedded / "Y.parquet"), "--out", str(out), "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_nearest_pictures_are_those_of_brute_force_and_the_same_call_finds_nothing_new(embedded, tmp_path, capsys):
    pictures = [str(embedded / "pictures" / name) for name in ("03.png", "11.png")]
    arguments = ("--picture", *pictures, "--most", "6")
    told = search(capsys, embedded, tmp_path / "Z.parquet", *arguments)
    rows = pyarrow.parquet.read_table(embedded / "Y.parquet").to_pylist()
    vectors = np.array([row["vector"] for row in rows])
    for picture in pictures:
        query = next(np.array(row["vector"]) for row in rows if row["path"] == picture)
        wanted = sorted(zip(-(vectors @ query).round(5), [row["path"] for row in rows], strict=True))[:6]
        found = told["found"][picture]
        assert [each["path"] for each in found][0] == picture and found[0]["score"] == pytest.approx(1, abs=1e-5)
        assert {each["path"] for each in found} == {path for _, path in wanted}
        assert [each["rank"] for each in found] == list(range(1, 7))
    assert told["new"] and told["by"] == "cosine, perceptual 1"
    assert (tmp_path / "Z.html").read_text().count("<figure>") == 12
    assert not search(capsys, embedded, tmp_path / "Z.parquet", *arguments)["new"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["Z.html", "Z.parquet"]


def test_words_are_found_in_captions_of_both_languages_and_in_no_other(embedded, tmp_path, capsys):
    shape = f"{SCENES[6].colour} {SCENES[6].shape}"
    told = search(capsys, embedded, tmp_path / "Z.parquet", "--text", "狐狸", shape, "submarine", "--most", "500")
    assert [Path(each["path"]).name for each in told["found"]["狐狸"]] == ["07.png"]
    assert "submarine" not in told["found"] and told["by"] == "BM25 over captions"
    said = {number: {scene.colour, scene.shape} for number, scene in enumerate(SCENES) if number % 5}
    wanted = {number for number, words in said.items() if words & set(shape.split())}
    found = [int(Path(each["path"]).stem) for each in told["found"][shape]]
    assert set(found) == wanted
    both = {number for number, words in said.items() if words == set(shape.split())}
    assert set(found[: len(both)]) == both


def test_partitions_and_hits_in_any_order_give_the_same_best(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [{"path": f"{number:02d}", "vector": row} for number, row in enumerate(vectors.tolist())]
    rows[9]["vector"] = None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "Y.parquet", row_group_size=8)
    search = ByVectors(("one", "other"), vectors[:2], "nobody", 5)
    hits = list[Hit]()
    for groups in (range(4, 7), range(4)):
        pyarrow.parquet.write_table(search.answers(tmp_path / "Y.parquet", groups), tmp_path / "A.parquet")
        hits += search.hits(tmp_path / "A.parquet")
    cosines = vectors[:2] @ vectors.T
    cosines[:, 9] = -2
    found = best(iter(hits), 2, 5)
    assert [[int(hit.path) for hit in ranked] for ranked in found] == (-cosines).argsort(1)[:, :5].tolist()
    assert sum(table.num_rows for table in row_groups(tmp_path / "Y.parquet", ["path"], range(2, 4))) == 16


def test_words_are_compared_with_pictures_where_the_encoder_has_one_space(embedded, tmp_path, capsys):
    folder = tmp_path / "clip"
    save_tiny(folder, "clip")
    out = str(tmp_path / "Y.parquet")
    assert main(["data", "embed", str(embedded / "X.parquet"), "--out", out, "--with", str(folder)]) == 0
    capsys.readouterr()
    told = search(capsys, tmp_path, tmp_path / "Z.parquet", "--text", "a red dog", "--with", str(folder), "--most", "3")
    rows = pyarrow.parquet.read_table(out).to_pylist()
    said = np.asarray(ClipFolder(folder).words(["a red dog"]))[0]
    cosines = sorted((np.array([row["vector"] for row in rows]) @ said).tolist())[::-1][:3]
    assert [each["score"] for each in told["found"]["a red dog"]] == pytest.approx(cosines, abs=1e-5)
    assert told["by"] == "cosine, clip"
    arguments = ["data", "search", out, "--picture", rows[0]["path"], "--out", str(tmp_path / "W.parquet")]
    assert main(arguments) == 1 and "give its folder by --with" in capsys.readouterr().err


def test_what_cannot_be_searched_is_told_in_a_sentence(embedded, tmp_path, capsys):
    (tmp_path / "no.png").write_text("no picture")
    for arguments, said in (
        (["--picture", str(tmp_path / "no.png")], "cannot be read as a picture"),
        (["--text", "fox", "--with", "perceptual"], "knows no words"),
        (["--picture", str(embedded / "pictures" / "03.png"), "--with", "nano"], "embed the pictures again"),
    ):
        full = ["data", "search", str(embedded / "Y.parquet"), "--out", str(tmp_path / "Z.parquet"), *arguments]
        assert main(full) == 1
        assert said in capsys.readouterr().err and not (tmp_path / "Z.parquet").exists()


def test_a_page_of_somebody_else_is_never_written_over(embedded, tmp_path, capsys):
    page = tmp_path / "index.html"
    arguments = ["data", "search", str(embedded / "Y.parquet"), "--out", str(tmp_path / "Z.parquet"), "--text", "red"]
    for content in (b"<!doctype html>\n<title>My garden</title>", b"", b"\xff"):
        page.write_bytes(content)
        assert main([*arguments, "--page", str(page)]) == 1
        assert "a page is there that is not from here" in capsys.readouterr().err and page.read_bytes() == content
    page.unlink()
    assert main([*arguments, "--page", str(page)]) == main([*arguments, "--page", str(page)]) == 0
