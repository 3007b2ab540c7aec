"""The hash of a model file: that of the standard library, with progress, and ended by the stop button."""

import hashlib
import importlib

import pytest

GIGABYTE = 2**30


@pytest.fixture
def file_hash(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.file_hash")


def test_a_file_is_hashed_once_and_again_when_it_has_changed(file_hash, tmp_path, monkeypatch):
    file = tmp_path / "a.safetensors"
    for content in (b"one", b"another"):
        file.write_bytes(content)
        expected = hashlib.sha256(content).hexdigest()[:10]
        assert file_hash.short_hash(str(file)) == expected
        with monkeypatch.context() as patch:
            patch.setattr(file_hash.hashlib, "sha256", None)  # it is not read again
            assert file_hash.short_hash(str(file)) == expected


def test_a_file_of_many_gigabytes_tells_how_far_it_is_and_stops_at_once(file_hash, tmp_path, monkeypatch):
    from comfy import model_management

    file = tmp_path / "large.safetensors"
    with file.open("wb") as sparse:
        sparse.truncate(64 * GIGABYTE)  # which takes no room, and half a minute to hash
    told = []

    class Bar:
        def __init__(self, total):
            assert total == 64 * GIGABYTE

        def update(self, count):
            told.append(count)
            if len(told) == 3:
                model_management.interrupt_current_processing()

    monkeypatch.setattr(file_hash, "ProgressBar", Bar)
    with pytest.raises(model_management.InterruptProcessingException):
        file_hash.short_hash(str(file))
    assert told == [file_hash.CHUNK] * 3
