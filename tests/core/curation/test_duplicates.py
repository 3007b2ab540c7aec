"""Copies: planted ones are found, leaf functions against brute force, NetworkX and values worked out by hand."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import networkx
import numpy as np
import pyarrow.parquet
import pytest

from bench.planted_copies import plant
from zimage_core.cli import main
from zimage_core.curation.duplicates.agreement import adjusted_rand, recall
from zimage_core.curation.duplicates.aligned import differences
from zimage_core.curation.duplicates.cells import as_units, centres_of, members, nearest_cells
from zimage_core.curation.duplicates.communities import communities
from zimage_core.curation.duplicates.keepers import kept_of
from zimage_core.curation.duplicates.neighbours import approximate, exact, joined, once
from zimage_core.curation.embedding.perceptual import described
from zimage_core.curation.in_memory import copies_among, pictures_of, seen

ORIGINALS, COPIES = 60, 24


def vectors_with_pairs(count: int, size: int = 32) -> np.ndarray:
    """Random directions, every second one near the one before it."""
    rng = np.random.default_rng(0)
    firsts = rng.normal(size=(count // 2, size))
    seconds = firsts + 0.1 * rng.normal(size=firsts.shape)
    return as_units(np.stack([firsts, seconds], 1).reshape(count, size))


def brute(vectors, least):
    cosines = vectors @ vectors.T
    return {(i, j) for i, j in itertools.combinations(range(len(vectors)), 2) if cosines[i, j] >= least}


def as_set(pairs):
    return set(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True))


def test_exact_and_approximate_search_find_what_brute_force_finds():
    vectors = vectors_with_pairs(300)
    wanted = brute(vectors, 0.9)
    assert len(wanted) == 150
    assert as_set(exact(vectors, vectors, 5, 0.9)) == wanted
    assert len(as_set(approximate(vectors, 5, 0.9)) & wanted) >= 0.98 * len(wanted)


def test_cells_that_overlap_lose_hardly_a_pair():
    vectors = vectors_with_pairs(8000)
    numbers = np.arange(len(vectors))
    centres = centres_of(vectors, numbers, seed=0)
    assert len(centres) == 4
    cells = members(nearest_cells(vectors, numbers, centres), len(centres))
    assert sum(map(len, cells)) == 2 * len(vectors)
    found = [exact(vectors[cell], vectors[cell], 5, 0.9) for cell in cells]
    numbered = [
        each._replace(one=cell[each.one], other=cell[each.other]) for each, cell in zip(found, cells, strict=True)
    ]
    pairs = once(joined(numbered))
    wanted = {(i, i + 1) for i in range(0, 8000, 2)}
    assert as_set(pairs) <= wanted and len(as_set(pairs)) >= 0.98 * len(wanted)


def test_groups_are_networkx_components_where_these_are_dense_and_a_chain_is_cut():
    cliques = networkx.disjoint_union_all([networkx.complete_graph(size) for size in (2, 3, 5)])
    edges = np.array(cliques.edges).T
    found = communities(edges[0], edges[1], 12)
    for component in networkx.connected_components(cliques):
        assert {int(found[node]) for node in component} == {min(component)}
    assert found[10:].tolist() == [10, 11]
    chain = np.arange(20)
    assert len(set(communities(chain[:-1], chain[1:], 20).tolist())) > 5


def test_a_picture_only_goes_if_it_is_a_copy_of_the_one_that_stays():
    """In a chain 0-1-2 the best is 0; 2 is no copy of it and stays."""
    copies = {(0, 1), (1, 2)}

    def is_copy(best, others):
        return np.array([(min(best, each), max(best, each)) in copies for each in others.tolist()])

    groups, quality = np.array([0, 0, 0, 3]), np.array([3.0, 1.0, 2.0, 9.0])
    assert kept_of(groups, quality, is_copy).tolist() == [0, 0, 2, 3]
    assert kept_of(groups, np.array([1.0, 5.0, 2.0, 9.0]), is_copy).tolist() == [1, 1, 1, 3]


def test_agreement_is_that_of_hubert_and_arabie():
    one, other = np.array([0, 0, 1, 1, 2, 2]), np.array([5, 5, 7, 7, 9, 9])
    assert adjusted_rand(one, other) == 1
    # of 15 pairs 3 are together in the one, 6 in the other, 2 in both: (2 - 18/15) / (9/2 - 18/15)
    assert adjusted_rand(one, np.array([0, 0, 0, 1, 1, 1])) == pytest.approx((2 - 1.2) / (4.5 - 1.2))
    assert recall(np.array([[0, 1], [1, 2]]), np.array([[0, 2], [1, 3]]), 4) == 0.5


def test_a_mirror_image_has_the_same_vector_and_no_difference():
    looks = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    mirrored = looks[:, :, ::-1]
    np.testing.assert_allclose(described(looks), described(mirrored), atol=1e-6)
    found, is_mirrored = differences(looks, mirrored)
    assert found.tolist() == [0, 0, 0] and is_mirrored.all()
    assert differences(looks, np.roll(looks, 1, 0))[0].min() > 50


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A folder with copies, what is true of it, and the list that the three commands make."""
    root = tmp_path_factory.mktemp("planted")
    folder = root / "pictures"
    folder.mkdir()
    truth = plant(folder, ORIGINALS, COPIES)
    for arguments in (
        ["profile", folder, "--out", root / "X.parquet"],
        ["embed", root / "X.parquet", "--out", root / "Y.parquet"],
        ["dedup", root / "Y.parquet", "--out", root / "Z.parquet"],
    ):
        assert main(["data", *map(str, arguments)]) == 0
    return root, truth


def test_in_memory_the_same_pictures_go_as_by_the_stages(planted):
    root, _ = planted
    rows = pyarrow.parquet.read_table(root / "Z.parquet").to_pylist()
    looked = [each for each in map(seen, pictures_of(root / "pictures")) if each]
    found = copies_among(looked, 16.0)
    assert [each.path for each in found] == sorted(row["path"] for row in rows)
    by_stages = {frozenset((row["path"], row["keeper"])) for row in rows if row["kind"] != "kept"}
    assert {frozenset((each.path, each.keeper)) for each in found if each.kind != "kept"} == by_stages


def test_planted_copies_are_found_and_nothing_else(planted):
    root, truth = planted
    rows = {Path(row["path"]).name: row for row in pyarrow.parquet.read_table(root / "Z.parquet").to_pylist()}
    assert len(rows) == ORIGINALS + COPIES
    found = [copy for copy, original in truth.items() if rows[copy]["cluster"] == rows[original]["cluster"]]
    assert len(found) >= 0.98 * COPIES
    dropped = [name for name, row in rows.items() if row["kind"] != "kept"]
    assert len(dropped) == len(found)  # one of each pair goes, and nobody else
    for name in dropped:
        row = rows[name]
        keeper = rows[Path(row["keeper"]).name]
        assert keeper["kind"] == "kept" and keeper["quality"] >= row["quality"] and row["keeper"] in row["reason"]
        assert row["kind"] == ("exact" if "captioned" in name + keeper["path"] else "near") and row["distance"] < 0.1
        assert row["mirrored"] == ("mirrored" in name + Path(keeper["path"]).name)
    assert not {copy for copy in truth if "recompressed" in copy or "cropped" in copy} - set(dropped)


def test_the_same_call_does_nothing_and_leaves_nothing(planted, capsys):
    root, _ = planted
    before = {each.name: each.stat().st_mtime_ns for each in root.iterdir()}
    assert sorted(before) == ["X.html", "X.parquet", "Y.parquet", "Z.parquet", "pictures"]
    assert main(["data", "dedup", str(root / "Y.parquet"), "--out", str(root / "Z.parquet"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["new"] and told["recall"] == told["adjusted_rand"] == 1
    assert {each.name: each.stat().st_mtime_ns for each in root.iterdir()} == before


def test_a_picture_that_changed_since_its_profile_is_told_and_left_out(planted, tmp_path, capsys):
    root, _ = planted
    some = root / "pictures" / "00059.png"
    content = some.read_bytes()
    some.write_bytes(content + b"changed")
    try:
        arguments = ["embed", str(root / "X.parquet"), "--out", str(tmp_path / "Y.parquet"), "--with", "nano"]
        assert main(["data", *arguments]) == 0
    finally:
        some.write_bytes(content)
    assert "83 pictures by nano's SigLIP" in (told := capsys.readouterr().out) and "1 changed or gone" in told
    assert main(["data", "dedup", str(tmp_path / "Y.parquet"), "--out", str(tmp_path / "Z.parquet")]) == 0
    assert pyarrow.parquet.read_table(tmp_path / "Z.parquet").num_rows == 83


def test_another_stages_file_is_refused_in_a_sentence(planted, tmp_path, capsys):
    root, _ = planted
    assert main(["data", "dedup", str(root / "X.parquet"), "--out", str(tmp_path / "Z.parquet")]) == 1
    assert "is not from `zimage data embed`" in capsys.readouterr().err
    assert main(["data", "embed", str(root / "Y.parquet"), "--out", str(tmp_path / "Z.parquet")]) == 1
    assert "is not from `zimage data profile`" in capsys.readouterr().err
    vectors = pyarrow.parquet.read_table(root / "Y.parquet").drop_columns(["look", "pixels"])
    pyarrow.parquet.write_table(vectors, tmp_path / "Y.parquet")
    for given, said in ((root / "gone.parquet", "there is no file"), (tmp_path / "Y.parquet", "lacks look, pixels")):
        assert main(["data", "dedup", str(given), "--out", str(tmp_path / "Z.parquet")]) == 1
        assert said in capsys.readouterr().err


def test_only_what_the_same_stage_wrote_is_written_over(planted, tmp_path, capsys):
    root, _ = planted
    before = (root / "X.parquet").read_bytes()
    assert main(["data", "embed", str(root / "X.parquet"), "--out", str(root / "X.parquet")]) == 1
    assert "is not from `zimage data embed`" in capsys.readouterr().err and (root / "X.parquet").read_bytes() == before
    (tmp_path / "mine.parquet").write_text("mine")
    assert main(["data", "profile", str(root / "pictures"), "--out", str(tmp_path / "mine.parquet")]) == 1
    assert "remove the file" in capsys.readouterr().err and (tmp_path / "mine.parquet").read_text() == "mine"


def test_a_disk_without_room_for_the_search_is_told_before_it_begins(planted, tmp_path, capsys, monkeypatch):
    root, _ = planted
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=5000))
    assert main(["data", "dedup", str(root / "Y.parquet"), "--out", str(tmp_path / "Z.parquet")]) == 1
    assert "0.0 MB free, and the search for copies takes 1.1 MB" in capsys.readouterr().err
