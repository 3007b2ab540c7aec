"""Shared by all tests: two threads, or one where there are several workers, unless TEST_THREADS
says otherwise; and tiny networks with random weights."""

import os

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(int(os.environ.get("TEST_THREADS") or (1 if "PYTEST_XDIST_WORKER" in os.environ else 2)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="accept the node definitions as they are now")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
