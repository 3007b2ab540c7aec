"""Shared by all tests: two threads, or one where there are several workers, unless TEST_THREADS
says otherwise, in servers too."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

THREADS = os.environ.get("TEST_THREADS") or ("1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", THREADS)  # of servers; more threads than cores wait for each other busily
torch.set_num_threads(int(THREADS))

# other work may keep the cores busy, which says nothing of the code
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="accept the node definitions as they are now")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
