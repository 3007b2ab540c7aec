"""What the Registry and the Manager read of the pack, by the rules of docs.comfy.org/registry/specifications."""

import re
from importlib.metadata import version

import pytest
from comfy_cli.registry.config_parser import extract_node_configuration
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from PIL import Image

from paths import REPOSITORY

RAW = "https://raw.githubusercontent.com/zimage-nodes/zimage-nodes/main/"


@pytest.fixture(scope="module")
def config():
    """As comfy-cli reads it before publishing."""
    return extract_node_configuration(str(REPOSITORY / "pyproject.toml"))


def test_comfy_cli_reads_it_without_a_warning(capsys):
    config = extract_node_configuration(str(REPOSITORY / "pyproject.toml"))
    printed = capsys.readouterr()
    assert config is not None
    assert printed.out + printed.err == ""


def test_the_name_is_one_the_registry_takes(config):
    assert re.fullmatch(r"[a-z](?:[-_.]?[a-z0-9])*", config.project.name)
    assert len(config.project.name) < 100
    assert "comfyui" not in config.project.name
    assert config.tool_comfy.publisher_id and config.tool_comfy.display_name


def test_the_version_is_semantic_and_the_changelog_has_a_place_for_it(config):
    assert re.fullmatch(r"\d+\.\d+\.\d+", config.project.version)
    headings = re.findall(r"^## \[(.+?)\]", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] in ("Unreleased", config.project.version)
    assert [Version(each) for each in headings[1:]] == sorted((Version(each) for each in headings[1:]), reverse=True)


def test_description_license_and_addresses_are_there(config, project):
    assert 40 < len(config.project.description) < 300
    assert config.project.license.text == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text("utf-8")
    assert {"Repository", "Documentation", "Bug Tracker"} <= project["project"]["urls"].keys()
    assert config.project.urls.issues.startswith(config.project.urls.repository)


def test_any_system_may_install_it_and_no_accelerator_is_claimed(config):
    assert config.project.supported_os == ["OS Independent"]
    assert config.project.supported_accelerators == []


def test_the_comfyui_floor_is_the_oldest_the_pack_is_tried_with(config):
    supported = SpecifierSet(config.project.supported_comfyui_version)
    assert "0.16.3" in supported and "0.30.0" in supported
    assert "0.15.1" not in supported


@pytest.mark.parametrize(("field", "ratio"), [("icon", 1 / 1), ("banner_url", 21 / 9)])
def test_icon_and_banner_are_pictures_of_the_asked_shape_in_the_repository(config, field, ratio):
    address = getattr(config.tool_comfy, field)
    assert address.startswith(RAW)
    file = REPOSITORY / address.removeprefix(RAW)
    width, height = Image.open(file).size
    assert width / height == pytest.approx(ratio)
    assert file.stat().st_size < 200_000
    assert field != "icon" or max(width, height) <= 400


def test_the_browser_folder_is_declared_once(config):
    """Declared in both places, the same files are served twice and their extensions refused."""
    assert "WEB_DIRECTORY" in (REPOSITORY / "__init__.py").read_text("utf-8")
    assert config.tool_comfy.web == ""


def test_the_manager_is_asked_to_install_nothing():
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []
    assert not list(REPOSITORY.glob("install.py")) + list(REPOSITORY.glob("prestartup_script.py"))


def test_what_the_library_imports_is_declared_and_comes_with_comfyui(config):
    """Every name is a distribution that ComfyUI's own requirements have put here."""
    for name in config.project.dependencies:
        assert re.fullmatch(r"[A-Za-z]+", name), f"{name} is pinned; ComfyUI decides versions"
        assert version(name)
