"""The systems the bench compares with ours, skipped where they are not installed."""

import importlib

import pytest


@pytest.fixture(scope="session")
def comfyui():
    """ComfyUI as a system, where it is at hand."""
    import torch

    module = importlib.import_module("bench.systems.comfyui")
    try:
        module.import_comfyui(torch.device("cpu"))
    except module.ComfyUIMissing as reason:
        pytest.skip(str(reason))
    return module.ComfyUI


@pytest.fixture(scope="session")
def diffusers():
    """diffusers as a system, where it is installed."""
    pytest.importorskip("diffusers")
    return importlib.import_module("bench.systems.diffusers").Diffusers
