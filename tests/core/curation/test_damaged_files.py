"""400 files with 1 % of every kind of damage: exact counts of each, none fatal, originals as they were."""

import sys

import pyarrow.parquet
import pytest

from bench.damaged_files import KINDS, counted_kinds, expected, plant_damage, tree_digest
from zimage_core.cli import main


@pytest.mark.skipif(sys.platform != "linux", reason="pipes, and names that are not UTF-8")
def test_every_kind_of_damage_is_counted_and_no_original_changes(tmp_path):
    folder, profile, vectors = tmp_path / "pictures", tmp_path / "profile.parquet", tmp_path / "vectors.parquet"
    folder.mkdir()
    truth = plant_damage(folder, 400)
    before = tree_digest(folder)
    assert main(["data", "profile", str(folder), "--out", str(profile)]) == 0
    found = counted_kinds(profile, truth)
    assert found == expected(truth) and len(found) == len(KINDS) + 1
    assert {number for (kind, _), number in found.items() if kind != "good"} == {4}
    assert main(["data", "embed", str(profile), "--out", str(vectors)]) == 0
    readable = sum(row["problem"] == "" for row in pyarrow.parquet.read_table(profile, columns=["problem"]).to_pylist())
    assert pyarrow.parquet.read_metadata(vectors).num_rows == readable
    assert tree_digest(folder) == before
