"""Fixtures of the network tests that are split over several files."""

import importlib
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from captured_pictures import STEPS
from fake_capture import FakeCapture


@pytest.fixture(scope="module")
def bridge(pack):
    def load(name):
        return importlib.import_module(f"zimage_pack.nodes.bridge.{name}")

    return SimpleNamespace(
        optimize=load("patches.optimize"),
        cuda_graphs=load("network.cuda_graphs"),
        cuda_graph_memory=load("patches.cuda_graph_memory"),
        blocks=load("network.blocks"),
    )


@pytest.fixture(scope="module")
def file(native, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    return str(path)


@pytest.fixture
def load(comfy, pack, native, file):
    """One file through our loader, and as ComfyUI's would have it, which reads released widths only."""

    def stock():
        model = native.model()
        model.cached_patcher_init = (comfy.sd.load_diffusion_model, (file, {}))
        return model

    return {"ours": lambda: pack.bridge_model.load_model(file), "stock": stock}


@pytest.fixture
def gpu(bridge, monkeypatch):
    """As on an NVIDIA GPU with memory to spare, where all steps are bound by launches."""
    fake = FakeCapture()
    captures = partial(bridge.cuda_graphs.ModelCaptures, capture=fake, measure=lambda run: (run(), True))
    monkeypatch.setattr(bridge.cuda_graph_memory, "is_nvidia_gpu", lambda device: True)
    monkeypatch.setattr(bridge.cuda_graph_memory, "ModelCaptures", captures)
    monkeypatch.setattr(bridge.cuda_graphs, "MIN_FREE_BYTES", 0)
    return fake


@pytest.fixture
def sample(comfy, native):
    def run(model, *, words=(17, 25), seed=1, size=(8, 8), steps=STEPS, callback=None):
        noise = torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(3))
        positive, negative = (native.conditioning(n, seed + index) for index, n in enumerate(words))
        settings = (steps, 3.0, "euler", "simple", positive, negative, torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, callback=callback, disable_pbar=True)

    return run


@pytest.fixture
def optimize(bridge):
    def run(model, graph="automatic", **choices):
        given = {"precision": "as loaded", "attention": "ComfyUI's", "compiling": "off", **choices}
        return bridge.optimize.optimize(model, graph=graph, **given)

    return run


@pytest.fixture(scope="module")
def models(pack, native, tmp_path_factory):
    """Our MODEL, native's, and native's with our forward attached, on the same weights."""
    stock = native.model()
    attached = importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(stock)
    return SimpleNamespace(ours=native.ours(pack, tmp_path_factory.mktemp("models")), native=stock, attached=attached)
