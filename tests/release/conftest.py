"""What the Registry would hand out: the archive comfy-cli packs, unpacked."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import tomllib
from comfy_cli.file_utils import zip_files

from paths import REPOSITORY


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def packed(project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip file, made by the tool that publishes it."""
    target = tmp_path_factory.mktemp("packed") / "node.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        zip_files(target, project["tool"]["comfy"].get("includes"))
    return target


@pytest.fixture(scope="session")
def archive(packed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its content, in a folder of the name the Manager gives it."""
    folder = tmp_path_factory.mktemp("unpacked") / "zimage-nodes"
    with zipfile.ZipFile(packed) as file:
        file.extractall(folder)
    return folder
