"""Shared by all tests: two threads, or one where there are several workers, unless TEST_THREADS
says otherwise; which tests run in one worker."""

import os

import pytest
import torch

THREADS = os.environ.get("TEST_THREADS") or ("1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", THREADS)  # of servers; more threads than cores wait for each other busily
torch.set_num_threads(int(THREADS))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="accept the node definitions as they are now")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker gets a whole file, for its fixtures, or all browser tests on one canvas, for their server."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(canvas_of(item) or item.nodeid.partition("::")[0]))


def canvas_of(item: pytest.Item) -> str | None:
    """The frontend and canvas that a browser test runs on, None for other tests."""
    return item.callspec.params.get("frontend") if hasattr(item, "callspec") else None


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
