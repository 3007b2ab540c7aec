"""Fixtures of the GPU tests, which are skipped without CUDA; see README.md in this folder."""

import gc
import logging
import os
from pathlib import Path

import pytest
import torch

import gpu
from bench.precision import without_tf32
from zimage_core.kernels.fastest import fastest

WITHOUT_GPU = {"test_run_all.py"} | ({"test_comfyui.py"} if os.environ.get("COMFYUI_ON_CPU") == "1" else set())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a GPU with CUDA; there is none here")
    for item in items:
        if Path(__file__).parent in item.path.parents and item.path.name not in WITHOUT_GPU:
            item.add_marker(skip)


@pytest.fixture(scope="module", autouse=True)
def _warnings_of_this_module():
    """What is logged once per process is logged once per module here, so no other file's warnings count."""
    fastest.cache_clear()
    gpu.WARNINGS.sentences.clear()
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
