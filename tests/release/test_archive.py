"""What artists download is small, complete, and nothing but the pack."""

import subprocess
import zipfile

from paths import REPOSITORY

MEBIBYTE = 2**20
DEVELOPERS = {".ci", ".github", "bench", "build", "tests", "tools", "Makefile", "CONTRIBUTING.md"}
ARTISTS = {"__init__.py", "js", "locales", "nodes", "recipes", "subgraphs", "workflows", "zimage_core"}
PAPERS = {"CHANGELOG.md", "LICENSE", "README.md", "docs", "pyproject.toml", "requirements.txt"}


def tracked() -> set[str]:
    """Every file git knows and the working tree has."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).exists()}


def test_the_archive_is_small_and_mostly_the_built_in_models(packed):
    """16 MiB are nano's weights, which hardly pack; what is waited for is the packed size."""
    with zipfile.ZipFile(packed) as file:
        assert sum(each.file_size for each in file.infolist()) < 25 * MEBIBYTE
    assert packed.stat().st_size < 18 * MEBIBYTE


def test_nothing_of_the_developers_is_inside(archive):
    assert not DEVELOPERS & {each.name for each in archive.iterdir()}
    assert not [
        each for each in archive.rglob("*") if each.name.startswith(("test_", "conftest")) or each.suffix == ".pyc"
    ]


def test_every_tracked_file_of_the_pack_is_inside(archive):
    """git quotes names that are not ASCII, and comfy-cli then leaves the file out without failing."""
    meant = {name for name in tracked() if name.partition("/")[0] in ARTISTS}
    assert meant == {name for name in meant if (archive / name).is_file()}


def test_every_file_at_the_top_is_expected_there(archive):
    """A new folder is decided upon: in ARTISTS here, or in .comfyignore."""
    assert {each.name for each in archive.iterdir()} == ARTISTS | PAPERS


def test_no_file_is_large_but_the_built_in_models(archive):
    large = {
        each.relative_to(archive).parts[:3]
        for each in archive.rglob("*")
        if each.is_file() and each.stat().st_size > MEBIBYTE
    }
    assert large == {("zimage_core", "nano", "weights")}
