"""Cached embeddings are the same bits, found only under their own key, and a failing disk never reaches the caller."""

import os
from pathlib import Path

import pytest
import torch

from zimage_core.runtime.prompt_cache import DiskCache, MemoryCache, PromptCache, cache_key, file_identity

KEY, OTHER = cache_key({"tokens": "1 2 3"}), cache_key({"tokens": "1 2"})
MEBIBYTE = 1 << 20


def embeddings(generator, dtype=torch.float32):
    """Outliers as a text encoder has them, far beyond what float16 can hold."""
    return {
        "cond": (torch.randn(1, 7, 16, generator=generator) * 1e6).to(dtype),
        "attention_mask": torch.ones(1, 7, dtype=torch.long),
    }


def fresh(folder, limit=MEBIBYTE):
    """A cache as a new process has it: nothing in memory."""
    return PromptCache(MemoryCache(MEBIBYTE), DiskCache(folder, limit))


def same(found, expected):
    return found.keys() == expected.keys() and all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_comes_back_is_bit_equal_from_memory_and_from_disk_after_a_restart(dtype, tmp_path, generator):
    original = embeddings(generator, dtype)
    cache = fresh(tmp_path)
    cache.put(KEY, original)
    for again in (cache, fresh(tmp_path)):
        assert same(again.get(KEY), original)
        assert again.get(OTHER) is None


def test_nobody_can_change_what_is_cached(generator):
    cache, original = PromptCache(MemoryCache(MEBIBYTE)), embeddings(generator)
    expected = {name: tensor.clone() for name, tensor in original.items()}
    cache.put(KEY, original)
    original["cond"].zero_()
    cache.get(KEY)["cond"].zero_()
    assert same(cache.get(KEY), expected)


def test_keys_differ_with_every_name_and_value_and_with_where_one_ends():
    parts = [{"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"a": "b"}, {"a": "", "b": ""}, {}, {"a": b"bc\0"}]
    assert len({cache_key(each) for each in parts}) == len(parts)
    assert cache_key({"a": "1", "b": "2"}) == cache_key({"b": "2", "a": "1"})


def test_float16_and_overflowed_embeddings_are_never_cached(tmp_path, generator):
    cache = fresh(tmp_path)
    cache.put(KEY, {"cond": torch.ones(2, dtype=torch.float16)})
    cache.put(OTHER, {"cond": torch.tensor([1.0, float("nan")])})
    assert cache.get(KEY) is None
    assert cache.get(OTHER) is None
    assert not list(tmp_path.iterdir())


def test_memory_evicts_the_least_recently_used():
    memory, one = MemoryCache(3 * 400), {"cond": torch.zeros(100)}
    for key in "abc":
        memory.put(key, one)
    assert memory.get("a") is not None
    memory.put("d", one)
    assert [key for key in "abcd" if memory.get(key) is not None] == ["a", "c", "d"]
    memory.put("e", {"cond": torch.zeros(301)})  # more than fits: nothing is left, and nothing is miscounted
    assert (memory.nbytes, len(memory.entries)) == (0, 0)


def damaged(raw):
    """A file cut short, emptied, with one bit turned, with a broken header, and another prompt's."""
    flipped = bytearray(raw)
    flipped[-3] ^= 4
    return [raw[:-9], raw[:40], b"", bytes(flipped), raw[:8] + b"\xff" + raw[9:], b"\xff" * 64, raw.replace(b"1", b"2")]


@pytest.mark.parametrize("fault", range(7))
def test_a_damaged_file_is_no_hit_and_is_written_anew(fault, tmp_path, generator):
    original = embeddings(generator)
    fresh(tmp_path).put(KEY, original)
    [file] = tmp_path.iterdir()
    raw = file.read_bytes()
    file.write_bytes(damaged(raw)[fault])
    cache = fresh(tmp_path)
    assert cache.get(KEY) is None
    cache.put(KEY, original)
    assert same(fresh(tmp_path).get(KEY), original)


def test_another_prompts_file_under_this_name_is_no_hit(tmp_path, generator):
    fresh(tmp_path).put(KEY, embeddings(generator))
    (tmp_path / f"{KEY}.safetensors").rename(tmp_path / f"{OTHER}.safetensors")
    assert fresh(tmp_path).get(OTHER) is None


def test_the_folder_stays_below_its_limit_and_nothing_but_our_own_oldest_files_goes(tmp_path):
    foreign = tmp_path / "notes.safetensors"
    foreign.write_bytes(bytes(5000))
    leftover = tmp_path / f".zimage-{'0a' * 8}.part"
    leftover.write_bytes(b"half")
    disk, keys = DiskCache(tmp_path, 3000), [cache_key({"tokens": str(index)}) for index in range(4)]
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


@pytest.mark.slow
@pytest.mark.parametrize("obstacle", ["a directory", "a file that stays", "a link to nothing", "a pipe"])
def test_the_limit_holds_beside_an_entry_that_cannot_be_removed(tmp_path, obstacle, caplog, monkeypatch):
    stuck = tmp_path / f"{KEY}.safetensors"
    match obstacle:
        case "a directory":
            stuck.mkdir()
        case "a file that stays":
            stuck.write_bytes(bytes(5000))
            unlink = Path.unlink

            def refuse(self, missing_ok=False):
                if self == stuck:
                    raise PermissionError(13, "Permission denied")
                unlink(self, missing_ok)

            monkeypatch.setattr(Path, "unlink", refuse)
        case "a link to nothing":
            stuck.symlink_to(tmp_path / "nothing")
        case _:
            os.mkfifo(stuck)
    os.utime(stuck, (0, 0), follow_symlinks=False)  # the first that would go
    limit, keys = 20_000, [cache_key({"tokens": str(index)}) for index in range(60)]
    disk = DiskCache(tmp_path, limit)
    for key in keys:
        disk.put(key, {"cond": torch.zeros(250)})
        assert sum(file.stat().st_size for file in tmp_path.iterdir() if file.is_file()) <= limit
    assert keys[-1] in disk and keys[0] not in disk
    assert disk.get(KEY) is None or obstacle == "a file that stays"
    [warning] = caplog.messages
    assert stuck.name in warning and "cannot remove" in warning


def test_nothing_more_is_written_where_nothing_can_be_removed(tmp_path, caplog, monkeypatch):
    disk = DiskCache(tmp_path, 20_000)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    for index in range(60):
        disk.put(cache_key({"tokens": str(index)}), {"cond": torch.zeros(250)})
    assert 10_000 < sum(file.stat().st_size for file in tmp_path.iterdir()) <= 20_000
    assert len(caplog.messages) == 2 and "not kept on disk" in caplog.text


def test_embeddings_cached_before_the_disk_was_allowed_reach_it(tmp_path, generator):
    memory, original = MemoryCache(MEBIBYTE), embeddings(generator)
    PromptCache(memory).put(KEY, original)
    assert PromptCache(memory, DiskCache(tmp_path, MEBIBYTE)).get(KEY) is not None
    assert same(fresh(tmp_path).get(KEY), original)


def test_a_folder_that_cannot_be_written_costs_only_the_restart(tmp_path, generator, caplog):
    (tmp_path / "file").write_text("in the way")
    cache, original = fresh(tmp_path / "file" / "folder"), embeddings(generator)
    cache.put(KEY, original)
    assert same(cache.get(KEY), original)
    assert "not kept on disk" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_no_half_written_file_is_left_when_the_disk_is_full(tmp_path, generator, monkeypatch):
    def full(self, target):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    fresh(tmp_path).put(KEY, embeddings(generator))
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
