"""What a report says about the machine it was made on."""

from importlib.metadata import version

import pytest
import torch

from bench import __main__ as program
from bench import machine


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A folder that calls itself a ComfyUI."""
    (tmp_path / "comfyui_version.py").write_text('__version__ = "0.99.1"\n', "utf-8")
    monkeypatch.setenv("COMFYUI_DIR", str(tmp_path))


def test_counts_name_the_comfyui_and_the_torch_they_were_made_with(tmp_path, host, monkeypatch, capsys):
    monkeypatch.setattr(program, "count_all", lambda *arguments: [])
    log = tmp_path / "log.md"
    program.count(program.arguments(["--count", "--no-peers", "--log", str(log)]), torch.device("cpu"))
    for text in (log.read_text("utf-8"), capsys.readouterr().out):
        assert "ComfyUI 0.99.1" in text
        assert f"torch {version('torch')}," in text


def test_of_a_package_that_is_there_twice_the_one_that_is_imported_is_named(tmp_path, monkeypatch):
    found = tmp_path / "comfy_kitchen-9.9.9.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: comfy-kitchen\nVersion: 9.9.9\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert machine.versions(("comfy-kitchen", "no-such-package")) == "comfy-kitchen 9.9.9"
