"""Fixtures of the GPU tests, which are skipped without CUDA; see README.md in this folder."""

import gc
import logging
from pathlib import Path

import pytest
import torch

import gpu
from bench.precision import without_tf32


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a GPU with CUDA; there is none here")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _collect_warnings():
    logging.getLogger("zimage").addHandler(gpu.WARNINGS)
    yield
    logging.getLogger("zimage").removeHandler(gpu.WARNINGS)


@pytest.fixture(autouse=True)
def _exact_float32_without_gradients():
    """Disable TF32 and gradients, and free GPU memory after each test."""
    with without_tf32(), torch.inference_mode():
        yield
    gc.collect()
    torch.cuda.empty_cache()
