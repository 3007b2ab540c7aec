"""Balance: weights in closed form, clusters and rare captions that are known, the manifest that training reads."""

import json
import math
from pathlib import Path

import networkx
import numpy as np
import pyarrow.parquet
import pytest

from zimage_core.cli import main
from zimage_core.curation.balance import cluster_weights, draw, rarity_factors
from zimage_core.curation.balance.weights import of_mean_one
from zimage_core.curation.duplicates.communities import communities
from zimage_core.data import read_dataset
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import every_scene

OFTEN, SELDOM = 40, 8  # pictures on white, on black
CLUSTERS = np.array([0] * 90 + [90] * 9 + [99])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_cluster_is_seen_as_often_as_its_size_to_the_power_of_alpha(alpha):
    weights = cluster_weights(CLUSTERS, alpha)
    shares = np.array([weights[each == CLUSTERS].sum() for each in (0, 90, 99)])
    np.testing.assert_allclose(shares / shares[2], np.array([90.0, 9.0, 1.0]) ** alpha)
    chosen = np.arange(100) != 99
    assert of_mean_one(weights, chosen)[chosen].mean() == pytest.approx(1) and not of_mean_one(weights, chosen)[99]


def test_rarity_counts_beside_its_mean_and_not_at_all_without_captions():
    rarity = np.array([1.0, 3.0, np.nan])
    np.testing.assert_allclose(rarity_factors(rarity, 2.0), [0.25, 2.25, 1])
    assert rarity_factors(rarity, 0.0).tolist() == rarity_factors(rarity * np.nan, 2.0).tolist() == [1, 1, 1]


def test_a_draw_has_nobody_twice_and_each_by_its_weight():
    weights = np.array([3.0, 1.0, 0.0, 1.0, 1.0])
    assert draw(weights, 9, 0).tolist() == [0, 1, 3, 4]
    first = np.bincount([int(draw(weights, 1, seed)[0]) for seed in range(1200)], minlength=5) / 1200
    np.testing.assert_allclose(first, weights / 6, atol=4 * math.sqrt(0.25 / 1200))


def test_communities_by_modularity_are_as_good_as_networkx_finds():
    club = networkx.karate_club_graph()
    edges = np.array(club.edges).T
    found = communities(edges[0], edges[1], 35, 1.0, by_modularity=True)
    groups = [set(np.flatnonzero(found[:34] == each).tolist()) for each in np.unique(found[:34])]
    other = networkx.community.louvain_communities(club, weight=None, seed=0)
    modularity = networkx.community.modularity
    assert modularity(club, groups, weight=None) >= modularity(club, other, weight=None) - 0.005
    assert found[34] == 34 and len(groups) < len(set(communities(edges[0], edges[1], 34).tolist()))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Many scenes on white and a few on black, whose captions have a word of their own."""
    root = tmp_path_factory.mktemp("balanced")
    folder = root / "pictures"
    folder.mkdir()
    for ground, count in (("white", OFTEN), ("black", SELDOM)):
        scenes = [each for each in every_scene() if each.ground == ground][7::20][:count]
        for number, scene in enumerate(scenes):
            render(scene, number).save(folder / f"{ground}{number:02d}.png")
            (folder / f"{ground}{number:02d}.txt").write_text(f"a shape on {ground}")
    (folder / "white00.txt").unlink()
    assert main(["data", "profile", str(folder), "--out", str(root / "X.parquet")]) == 0
    assert main(["data", "embed", str(root / "X.parquet"), "--out", str(root / "Y.parquet")]) == 0
    return root


def run(capsys, embedded, out, *arguments):
    full = ["data", "balance", str(embedded / "Y.parquet"), "--out", str(out), "--json", *arguments]
    assert main(full) == 0
    rows = pyarrow.parquet.read_table(out).to_pylist()
    return json.loads(capsys.readouterr().out), {Path(row["path"]).stem: row for row in rows}


def test_clusters_are_the_grounds_and_each_is_seen_equally_often(embedded, tmp_path, capsys):
    arguments = ("--alpha", "0", "--resolution", "0.05", "--neighbours", "5")
    told, rows = run(capsys, embedded, tmp_path / "W.parquet", *arguments)
    assert {(name[:5], row["cluster_size"]) for name, row in rows.items()} == {("white", OFTEN), ("black", SELDOM)}
    for ground in ("white", "black"):
        assert sum(row["weight"] for name, row in rows.items() if name[:5] == ground) == pytest.approx(24)
    assert (told["clusters"], told["lines"], told["without_caption"]) == (2, OFTEN + SELDOM - 1, 1)
    examples = read_dataset(tmp_path / "W.jsonl").examples
    repeats = {each.picture.stem: each.repeats for each in examples}
    assert repeats["black00"] / repeats["white01"] == pytest.approx(OFTEN / SELDOM)
    assert not run(capsys, embedded, tmp_path / "W.parquet", *arguments)[0]["new"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["W.jsonl", "W.parquet"]


def test_rare_words_are_rare_and_what_is_left_out_says_why(embedded, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(f"{embedded}/pictures/white03.png\n\n")
    arguments = ("--alpha", "1", "--rarity", "1", "--without", str(tmp_path / "mine.txt"))
    told, rows = run(capsys, embedded, tmp_path / "W.parquet", *arguments)
    # "a", "shape" and "on" are in all 47 captions, "black" in 8
    common = 3 * math.log(1 + 0.5 / 47.5)
    assert rows["black01"]["rarity"] == pytest.approx((common + math.log(1 + 39.5 / 8.5)) / 4)
    assert rows["black01"]["weight"] / rows["white01"]["weight"] == pytest.approx(
        rows["black01"]["rarity"] / rows["white01"]["rarity"]
    )
    assert rows["white03"]["weight"] == 0 and rows["white03"]["reason"] == "listed in mine.txt"
    assert math.isnan(rows["white00"]["rarity"]) and told["left_out"] == 1


def test_a_sample_is_so_large_and_in_the_manifest(embedded, tmp_path, capsys):
    told, rows = run(capsys, embedded, tmp_path / "W.parquet", "--sample", "12", "--caption", "a picture")
    drawn = {name for name, row in rows.items() if row["weight"] == 1}
    assert len(drawn) == told["lines"] == 12
    assert {each.picture.stem for each in read_dataset(tmp_path / "W.jsonl").examples} == drawn
    assert {row["reason"] for name, row in rows.items() if name not in drawn} == {"not drawn"}
