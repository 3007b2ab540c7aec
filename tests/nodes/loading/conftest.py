"""Fixtures of the tests of loading."""

import pytest


@pytest.fixture
def out(comfy, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path))
    return tmp_path
