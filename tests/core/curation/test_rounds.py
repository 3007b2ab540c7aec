"""Rounds of curation: needs and changes by hand; a model that cannot draw purple, and one that has learned it."""

import json
import math
from pathlib import Path

import pyarrow.parquet
import pytest

from zimage_core.cli import main
from zimage_core.commands.data_curation import unread
from zimage_core.curation.captions import phrase
from zimage_core.curation.rounds import Concept, Drawn, changes, coverage_of, needs_of, read_concepts
from zimage_core.data import read_dataset
from zimage_core.json_lines import to_lines
from zimage_core.nano.data.caption_reading import stated
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene

PLACE = {"size": "large", "row": "middle", "column": "middle", "ground": "white"}
SCENES = [
    Scene(colour=colour, shape=shape, **PLACE) for colour in ("red", "purple", "blue") for shape in ("star", "heart")
]


def drawn(concept, *values):
    return [
        Drawn(concept=concept, prompt=concept, seed=seed, file="", value=value) for seed, value in enumerate(values)
    ]


def test_a_need_is_the_shortfall_times_the_rarity_beside_its_mean():
    concepts = [Concept(name=name, prompts=(name,)) for name in ("often", "seldom", "well")]
    some = [*drawn("often", 0.0, 0.5), *drawn("seldom", 0.5, None), *drawn("well", 0.75)]
    coverage = {"often": 50, "seldom": 1, "well": 50}
    rarity = {name: math.log(1 + (100 - count + 0.5) / (count + 0.5)) for name, count in coverage.items()}
    mean = sum(rarity.values()) / 3
    found = {each.concept.name: each for each in needs_of(concepts, some, coverage, 100, higher_is_better=True)}
    assert found["often"].need == pytest.approx(rarity["often"] / mean) and found["well"].need == 0
    assert found["seldom"].need == pytest.approx(0.5 * rarity["seldom"] / mean)
    assert list(found) == sorted(found, key=lambda name: -found[name].need)
    reverse = needs_of(concepts, some, coverage, 100, higher_is_better=False, strength=0.0)
    assert [(each.concept.name, each.need) for each in reverse] == [("well", 1), ("seldom", 0.5), ("often", 0)]


def test_concepts_of_which_no_picture_has_a_score_are_told_apart():
    concepts = [Concept(name=name, prompts=(name,)) for name in ("star", "dog", "cat")]
    some = [*drawn("star", 1.0, None), *drawn("dog", None), *drawn("cat", None)]
    assert set(unread(needs_of(concepts, some, {}, 0, higher_is_better=True), some)) == {"dog", "cat"}


def test_a_change_is_the_mean_of_differences_with_its_interval():
    [change] = changes([*drawn("a", 0.1, 0.2, 0.3, None), *drawn("b", 1.0)], drawn("a", 0.3, 0.3, 0.6, 0.9))
    # differences 0.2, 0.1, 0.3: mean 0.2, standard deviation 0.1
    half = 1.96 * 0.1 / math.sqrt(3)
    assert (change.concept, change.pictures) == ("a", 3)
    assert (change.low, change.high) == pytest.approx((0.2 - half, 0.2 + half))


def test_captions_speak_of_a_concept_whose_words_are_side_by_side():
    concept = Concept(name="fox", prompts=("a fox",), words=("red fox", "红狐狸"))
    said = [("A red fox!",), ("a fox, red",), ("雪地里的红狐狸",), (), ("redfox", "the Red-Fox")]
    assert coverage_of([concept], said) == ({"fox": 3}, 4)
    nested = [Concept(name=name, prompts=(name,), words=(name,)) for name in ("红色圆", "粉红色圆环", "fox", "red fox")]
    assert list(coverage_of(nested, [("粉红色圆环",), ("红色圆",), ("a red fox",)])[0].values()) == [1, 1, 1, 1]
    assert phrase("A red-haired 狐狸.") == " a red haired 狐 狸 "


def test_concepts_are_read_from_prompts_lines_and_maps(tmp_path):
    (tmp_path / "a.txt").write_text("a fox\na cat\n")
    assert [each.asked for each in read_concepts(tmp_path / "a.txt", 1)] == [("a fox",)]
    (tmp_path / "b.jsonl").write_text('{"concept": "fox", "prompts": ["a fox", "two foxes"]}\n', "utf-8")
    assert read_concepts(tmp_path / "b.jsonl", 9) == [
        Concept(name="fox", prompts=("a fox", "two foxes"), words=("fox",))
    ]
    rows = [
        {"concept": "1", "name_en": "fox", "name_zh": "狐狸", "parents": [], "captions": 3, "rarity": 1.0},
        {"concept": "2", "name_en": "", "name_zh": "猫", "parents": [], "captions": 1, "rarity": 2.0},
        {"concept": "3", "name_en": "", "name_zh": "", "parents": [], "captions": 1, "rarity": 3.0},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "c.parquet")
    found = read_concepts(tmp_path / "c.parquet", 9)
    assert [(each.name, each.prompts, each.words) for each in found] == [
        ("2", ("猫",), ("猫",)),
        ("1", ("fox",), ("fox", "狐狸")),
    ]
    (tmp_path / "d.jsonl").write_text('{"concept": "fox", "prompts": "a fox"}\n')
    for name, said in (("d.jsonl", '"prompts" has to be a list'), ("gone.txt", "there is no file")):
        with pytest.raises(ValueError, match=said):
            read_concepts(tmp_path / name, 9)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A pool of six kinds of pictures, three of each, of which a third is learned; and their concepts."""
    root = tmp_path_factory.mktemp("rounds")
    for name in ("pool", "learned"):
        (root / name).mkdir()
    for number in range(3 * len(SCENES)):
        scene = SCENES[number % len(SCENES)]
        render(scene, number).save(root / "pool" / f"{scene.colour} {scene.shape} {number:02d}.png")
        said = f"a {scene.colour} {scene.shape} on white"
        (root / "pool" / f"{scene.colour} {scene.shape} {number:02d}.txt").write_text(said)
    learned = [
        {"file_name": str(each), "caption": each.with_suffix(".txt").read_text()}
        for each in sorted((root / "pool").glob("*.png"))
        if int(each.stem[-2:]) < len(SCENES)
    ]
    (root / "learned.jsonl").write_text(to_lines(learned))
    concepts = [
        {
            "concept": f"{each.colour} {each.shape}",
            "prompts": [f"a large {each.colour} {each.shape} in the middle on a white background"],
        }
        for each in SCENES
    ]
    (root / "concepts.jsonl").write_text(to_lines(concepts))
    assert main(["data", "profile", str(root / "pool"), "--out", str(root / "X.parquet")]) == 0
    assert main(["data", "embed", str(root / "X.parquet"), "--out", str(root / "Y.parquet")]) == 0
    return root


def model_without(colour, calls):
    """Draws what is said, but white for one colour."""

    def draw(prompt, seed):
        calls.append(prompt)
        scene = Scene(**(PLACE | stated(prompt)))
        return render(Scene(**(vars(scene) | {"colour": "green"})) if scene.colour == colour else scene, seed)

    return draw


def curate(monkeypatch, capsys, world, out, colour, *arguments):
    calls = []
    monkeypatch.setattr("zimage_core.commands.data_curation.drawer_of", lambda _: (model_without(colour, calls), "a"))
    full = ["data", "curate", world / "concepts.jsonl", "--model", "nano", "--score", "nano's scene", "--json"]
    full += ["--pool", world / "Y.parquet", "--data", world / "learned.jsonl", "--out", out, "--per-concept", "3"]
    assert main([str(each) for each in (*full, *arguments)]) == 0
    return json.loads(capsys.readouterr().out), len(calls)


def test_a_round_finds_what_is_drawn_badly_and_the_next_tells_that_it_got_better(world, tmp_path, capsys, monkeypatch):
    one = tmp_path / "one"
    told, calls = curate(monkeypatch, capsys, world, one, "purple")
    assert calls == 18 and not told["lacking"] and not told["unscored"]
    assert {each["concept"] for each in told["needs"] if each["need"] > 0} == {"purple star", "purple heart"}
    lines = [json.loads(line) for line in (one / "proposal.jsonl").read_text().splitlines()]
    wanted = {str(each) for each in (world / "pool").glob("purple*.png") if int(each.stem[-2:]) >= len(SCENES)}
    assert {line["file_name"] for line in lines} == wanted and len(lines) == 4
    assert all(line["captions"] == [f"a {line['concept']} on white"] and not line["accept"] for line in lines)

    assert (one / "proposal.html").read_text().count("<figure>") == 2 * 3 + 4

    lines[1]["accept"] = True
    (one / "proposal.jsonl").write_text(to_lines(lines))
    told, calls = curate(monkeypatch, capsys, world, one, "purple")
    assert calls == 0 and told["proposed"] == 4  # what was edited stays
    assert curate(monkeypatch, capsys, world, one, "purple", "--accept", "edited")[0]["accepted"] == 1
    assert curate(monkeypatch, capsys, world, one, "purple", "--accept", "all")[0]["accepted"] == 4
    examples = read_dataset(one / "manifest.jsonl").examples
    assert len(examples) == len(SCENES) + 4 and wanted <= {str(each.picture) for each in examples}

    told, _ = curate(monkeypatch, capsys, world, tmp_path / "two", "none", "--before", str(one))
    better = {each["concept"] for each in told["changes"] if each["low"] > 0}
    assert better == {"purple star", "purple heart"} and len(told["changes"]) == len(SCENES)
    assert not (tmp_path / "two" / "proposal.jsonl").exists()


def test_another_round_in_the_same_folder_and_nothing_to_accept_are_told(world, tmp_path, capsys, monkeypatch):
    curate(monkeypatch, capsys, world, tmp_path / "one", "purple")
    for arguments, said in ((["--seed", "5"], "holds another round"), (["--accept", "edited"], "has no line with")):
        with pytest.raises(AssertionError):
            curate(monkeypatch, capsys, world, tmp_path / "one", "purple", *arguments)
        assert said in capsys.readouterr().err
    file = tmp_path / "one" / "scores.jsonl"
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])  # as a killed process leaves it
    left = 18 - whole[: len(whole) // 2].count("\n")
    assert curate(monkeypatch, capsys, world, tmp_path / "one", "purple")[1] == left
    assert sorted(map(json.loads, file.read_text().splitlines()), key=str) == sorted(
        map(json.loads, whole.splitlines()), key=str
    )
    assert len(list(Path(tmp_path / "one" / "pictures").iterdir())) == 18
