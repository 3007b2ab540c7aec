"""Tests that need a graphics card: without one all are skipped. README.md beside this file says how to run them."""

import gc
import logging
import sys
from pathlib import Path

import card
import pytest
import torch

from paths import REPOSITORY

if str(REPOSITORY) not in sys.path:
    sys.path.append(str(REPOSITORY))  # the bench is no part of the installed package


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a graphics card with CUDA; there is none here")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _warnings_are_remembered():
    logging.getLogger("zimage").addHandler(card.WARNINGS)
    yield
    logging.getLogger("zimage").removeHandler(card.WARNINGS)


@pytest.fixture(autouse=True)
def _exact_float32_without_gradients():
    """Products and convolutions in float32 are not shortened to TF32; what a test leaves behind is given back."""
    with card.whole_float32(), torch.inference_mode():
        yield
    gc.collect()
    torch.cuda.empty_cache()
