"""`zimage data graph` from hand-made sources: what is counted is what can be counted by hand."""

import json
import math

import networkx
import pyarrow.parquet
import pytest

from zimage_core.cli import main
from zimage_core.curation.concepts import MapParameters, Sources, caption_stages, map_concepts
from zimage_core.curation.concepts.sources import graphs_of
from zimage_core.curation.in_memory.folder_concepts import concepts_among

CAPTIONS = ["a red fox", "two dogs", "狐狸", "a dog and a wolf", "a tin robot", "my tin robot", "sky", "love"]


@pytest.fixture
def captions(tmp_path):
    """Eight captions: a table, and a text beside a picture."""
    folder = tmp_path / "captions"
    folder.mkdir()
    lines = [{"file_name": f"{number}.png", "text": text} for number, text in enumerate(CAPTIONS[:-1])]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "last.txt").write_text(CAPTIONS[-1])
    return folder


def graph(capsys, *options):
    assert main(["data", "graph", *map(str, options), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_map_counts_what_captions_speak_of(wordnet, emojibase, captions, tmp_path, capsys):
    out, told = tmp_path / "C.parquet", tmp_path / "M.parquet"
    sources = ["--wordnet", wordnet, "--emojibase", emojibase, "--captions", captions]
    options = [*sources, "--out", out, "--mentions", told, "--graphml", tmp_path / "C.graphml", "--least-uses", 2]
    found = graph(capsys, *options)
    rows = {row["concept"]: row for row in pyarrow.parquet.read_table(out).to_pylist()}
    assert found["new"] and found["captions"] == 8 and found["concepts"] == len(rows)
    assert not {"entity.n.01", "love.n.01"} & set(rows)  # of everything; cannot be seen
    assert rows["animal.n.01"]["parents"] == [] and rows["fox.n.01"]["parents"] == ["canine.n.01"]
    wanted = {
        "dog.n.01": (2, 2),
        "fox.n.01": (1, 2),
        "red_fox.n.02": (1, 1),
        "canine.n.01": (0, 4),
        "crane.n.03": (0, 0),
    }
    for name, numbers in wanted.items():
        assert (rows[name]["captions"], rows[name]["coverage"]) == numbers, name
        assert rows[name]["rarity"] == pytest.approx(math.log(1 + (8.5 - numbers[1]) / (numbers[1] + 0.5)))
    assert (rows["dog.n.01"]["name_zh"], rows["fox.n.01"]["words_zh"]) == ("狗", ["狐狸"])
    robot = rows["phrase:tin robot"]
    assert (robot["parents"], robot["captions"], rows["phrase:robot"]["coverage"]) == (["phrase:robot"], 2, 2)
    mentions = {row["place"]: row["concepts"] for row in pyarrow.parquet.read_table(told).to_pylist()}
    assert mentions["3.png"] == ["dog.n.01", "wolf.n.01"] and mentions["6.png"] == []

    known = list(graphs_of(Sources(wordnet=wordnet, emojibase=emojibase)))[-1]
    in_memory = concepts_among([(caption,) for caption in CAPTIONS], known, 2, [], list)
    assert [row | {"rarity": pytest.approx(row["rarity"])} for row in in_memory.rows] == list(rows.values())

    read = networkx.read_graphml(tmp_path / "C.graphml")
    assert set(read.nodes) == set(rows) and read.nodes["dog.n.01"]["name_zh"] == "狗"
    assert set(read.edges) == {(name, parent) for name, row in rows.items() for parent in row["parents"]}
    page = (tmp_path / "C.html").read_text("utf-8")
    shown = json.loads(page.partition("const MAP = ")[2].partition("\n")[0])
    assert {row[2] for row in shown} == set(rows)
    assert all([shown[number][2] for number in row[3]] == rows[row[2]]["parents"] for row in shown)
    names = {"C.graphml", "C.html", "C.parquet", "M.parquet", "captions"}
    assert {each.name for each in tmp_path.iterdir()} == names

    before = out.stat().st_mtime_ns
    assert not graph(capsys, *options)["new"] and out.stat().st_mtime_ns == before
    assert graph(capsys, *options[:-1], 3)["new"]  # other parameters, other rows
    assert "phrase:tin robot" not in pyarrow.parquet.read_table(out)["concept"].to_pylist()


def test_captions_alone_make_a_map_of_phrases(captions, tmp_path, capsys):
    out = tmp_path / "C.parquet"
    found = graph(capsys, "--captions", captions, "--least-uses", 2, "--out", out)
    table = pyarrow.parquet.read_table(out)
    assert table["concept"].to_pylist() == ["phrase:robot", "phrase:tin robot"] and found["covered"] == 2
    assert b"BM25" not in table.schema.field("rarity").metadata[b"meaning"]


def test_without_captions_nothing_is_said_of_rarity(wordnet, tmp_path, capsys):
    kept = ["--kinds", "all", "--most-generality", 1, "--most", 5]
    found = graph(capsys, "--wordnet", wordnet, "--out", tmp_path / "C.parquet", *kept)
    table = pyarrow.parquet.read_table(tmp_path / "C.parquet")
    assert set(table["rarity"].to_pylist()) == {None} and found["concepts"] == 5


def test_a_partition_of_captions_that_was_done_is_not_done_again(captions, tmp_path, monkeypatch):
    calls = list[str]()
    monkeypatch.setattr("zimage_core.curation.concepts.caption_listing.ROWS", 2)
    monkeypatch.setattr(caption_stages, "phrases", lambda text: calls.append(text) or [text])
    arguments = Sources(captions=(captions,)), tmp_path / "C.parquet", MapParameters(least_uses=1)
    for progress in map_concepts(*arguments):
        if progress.done == 2:
            break  # as a killed run: what was written stays
    first = len(calls)
    list(map_concepts(*arguments))
    assert sorted(set(calls)) == sorted(CAPTIONS) and first >= 4 and len(calls) < first + 8
    assert pyarrow.parquet.read_table(tmp_path / "C.parquet").num_rows == len(CAPTIONS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "a graph needs concepts: give --wordnet"),
        (["--wordnet", "nowhere"], "nowhere holds no data.noun: give the folder"),
        (["--emojibase", "nowhere"], "give the folder of the npm package emojibase-data"),
        (["--wikipedia", "nowhere"], "there is no nowhere: give the folder of a wiki's SQL dumps"),
        (["--captions", "nowhere"], "nowhere holds no captions: it is not there"),
        (["--captions", "EMPTY"], "there are no captions in what --captions names"),
        (["--wordnet", "WORDNET", "--mentions", "m.parquet"], "give --captions, too"),
        (["--wordnet", "WORDNET", "--kinds", "cats"], "'cats', which is no kind of WordNet's: choose among Tops"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(wordnet, tmp_path, capsys, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"WORDNET": str(wordnet), "EMPTY": "empty"}
    assert main(["data", "graph", *(places.get(each, each) for each in options), "--out", "C.parquet"]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["empty"]
