"""Kept features are the same bits, found only under their own key, and no trouble with the disk reaches the caller."""

import os

import pytest
import torch

from zimage_core.runtime.prompt_cache import FeatureStore, InMemory, OnDisk, feature_key, file_identity

KEY, OTHER = feature_key({"tokens": "1 2 3"}), feature_key({"tokens": "1 2"})
MEBIBYTE = 1 << 20


def features(generator, dtype=torch.float32):
    """Outliers as a text encoder has them, far beyond what float16 can hold."""
    return {
        "cond": (torch.randn(1, 7, 16, generator=generator) * 1e6).to(dtype),
        "attention_mask": torch.ones(1, 7, dtype=torch.long),
    }


def fresh(folder, limit=MEBIBYTE):
    """A store as a new process has it: nothing in memory."""
    return FeatureStore(InMemory(MEBIBYTE), OnDisk(folder, limit))


def same(found, expected):
    return found.keys() == expected.keys() and all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_comes_back_is_bit_equal_from_memory_and_from_disk_after_a_restart(dtype, tmp_path, generator):
    kept = features(generator, dtype)
    store = fresh(tmp_path)
    store.put(KEY, kept)
    for again in (store, fresh(tmp_path)):
        assert same(again.get(KEY), kept)
        assert again.get(OTHER) is None


def test_nobody_can_change_what_is_kept(generator):
    store, kept = FeatureStore(InMemory(MEBIBYTE)), features(generator)
    expected = {name: tensor.clone() for name, tensor in kept.items()}
    store.put(KEY, kept)
    kept["cond"].zero_()
    store.get(KEY)["cond"].zero_()
    assert same(store.get(KEY), expected)


def test_keys_differ_with_every_name_and_value_and_with_where_one_ends():
    parts = [{"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"a": "b"}, {"a": "", "b": ""}, {}, {"a": b"bc\0"}]
    assert len({feature_key(each) for each in parts}) == len(parts)
    assert feature_key({"a": "1", "b": "2"}) == feature_key({"b": "2", "a": "1"})


def test_float16_and_overflowed_features_are_never_kept(tmp_path, generator):
    store = fresh(tmp_path)
    store.put(KEY, {"cond": torch.ones(2, dtype=torch.float16)})
    store.put(OTHER, {"cond": torch.tensor([1.0, float("nan")])})
    assert store.get(KEY) is None
    assert store.get(OTHER) is None
    assert not list(tmp_path.iterdir())


def test_memory_forgets_what_was_used_longest_ago():
    memory, one = InMemory(3 * 400), {"cond": torch.zeros(100)}
    for key in "abc":
        memory.put(key, one)
    assert memory.get("a") is not None
    memory.put("d", one)
    assert [key for key in "abcd" if memory.get(key) is not None] == ["a", "c", "d"]
    memory.put("e", {"cond": torch.zeros(301)})  # more than fits: nothing is left, and nothing is miscounted
    assert (memory.size, len(memory.kept)) == (0, 0)


def damaged(raw):
    """A file cut short, emptied, with one bit turned, with a broken header, and another prompt's."""
    flipped = bytearray(raw)
    flipped[-3] ^= 4
    return [raw[:-9], raw[:40], b"", bytes(flipped), raw[:8] + b"\xff" + raw[9:], b"\xff" * 64, raw.replace(b"1", b"2")]


@pytest.mark.parametrize("fault", range(7))
def test_a_damaged_file_is_no_hit_and_is_written_anew(fault, tmp_path, generator):
    kept = features(generator)
    fresh(tmp_path).put(KEY, kept)
    [file] = tmp_path.iterdir()
    raw = file.read_bytes()
    file.write_bytes(damaged(raw)[fault])
    store = fresh(tmp_path)
    assert store.get(KEY) is None
    store.put(KEY, kept)
    assert same(fresh(tmp_path).get(KEY), kept)


def test_another_prompts_file_under_this_name_is_no_hit(tmp_path, generator):
    fresh(tmp_path).put(KEY, features(generator))
    (tmp_path / f"{KEY}.safetensors").rename(tmp_path / f"{OTHER}.safetensors")
    assert fresh(tmp_path).get(OTHER) is None


def test_the_folder_stays_below_its_limit_and_nothing_but_our_own_oldest_files_goes(tmp_path):
    foreign = tmp_path / "notes.safetensors"
    foreign.write_bytes(bytes(5000))
    leftover = tmp_path / f"{KEY}.abc.part"
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    disk, keys = OnDisk(tmp_path, 3000), [feature_key({"tokens": str(index)}) for index in range(4)]
    for age, key in enumerate(keys[:3]):
        disk.put(key, {"cond": torch.zeros(150)})
        os.utime(tmp_path / f"{key}.safetensors", (age, age))
    assert disk.get(keys[0]) is not None  # used just now, so no longer the oldest
    disk.put(keys[3], {"cond": torch.zeros(200)})
    assert [key in disk for key in keys] == [True, False, True, True]
    assert foreign.exists()
    assert not leftover.exists()
    disk.put(KEY, {"cond": torch.zeros(1000)})  # alone more than the limit
    assert KEY not in disk
    assert [key in disk for key in keys] == [True, False, True, True]


def test_features_of_before_the_disk_was_allowed_reach_it(tmp_path, generator):
    memory, kept = InMemory(MEBIBYTE), features(generator)
    FeatureStore(memory).put(KEY, kept)
    assert FeatureStore(memory, OnDisk(tmp_path, MEBIBYTE)).get(KEY) is not None
    assert same(fresh(tmp_path).get(KEY), kept)


def test_a_folder_that_cannot_be_written_costs_only_the_restart(tmp_path, generator, caplog):
    (tmp_path / "file").write_text("in the way")
    store, kept = fresh(tmp_path / "file" / "folder"), features(generator)
    store.put(KEY, kept)
    assert same(store.get(KEY), kept)
    assert "not kept on disk" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_no_half_written_file_is_left_when_the_disk_is_full(tmp_path, generator, monkeypatch):
    from pathlib import Path

    def full(self, target):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    fresh(tmp_path).put(KEY, features(generator))
    assert not list(tmp_path.iterdir())


def test_weights_are_told_apart_by_place_size_time_and_samples_of_their_content(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for file in (first, second):
        file.write_bytes(bytes(3 << 20))
        os.utime(file, (1, 1))
    seen = [file_identity([first]), file_identity([second]), file_identity([first, second])]
    assert file_identity([second, first]) == seen[2]
    os.utime(first, (2, 2))
    seen.append(file_identity([first]))
    for at in (0, (3 << 20) - 1):
        content = bytearray(3 << 20)
        content[at] = 1
        first.write_bytes(content)
        os.utime(first, (2, 2))
        seen.append(file_identity([first]))
    assert len(set(seen)) == len(seen)
