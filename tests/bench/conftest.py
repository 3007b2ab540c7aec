"""Fixtures of the other benchmarked systems; tests are skipped if they are not installed."""

import importlib

import pytest


@pytest.fixture(scope="session")
def comfyui():
    """ComfyUI's system class, if ComfyUI is available."""
    import torch

    module = importlib.import_module("bench.systems.comfyui")
    try:
        module.import_comfyui(torch.device("cpu"))
    except module.ComfyUIMissing as reason:
        pytest.skip(str(reason))
    return module.ComfyUI


@pytest.fixture(scope="session")
def diffusers():
    """diffusers' system class, if diffusers is installed."""
    pytest.importorskip("diffusers")
    return importlib.import_module("bench.systems.diffusers").Diffusers
