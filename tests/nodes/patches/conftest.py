"""Fixtures of the tests of Fun ControlNets."""

import importlib
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from controlled_pictures import RELEASES


@pytest.fixture(scope="module")
def bridge(pack):
    def load(name):
        return importlib.import_module(f"zimage_pack.nodes.{name}")

    return SimpleNamespace(
        nodes=load("control"),
        control=load("bridge.patches.control"),
        net=load("bridge.loading.control_net"),
        run=load("bridge.network.control_hints"),
        attach=load("bridge.network.attach"),
    )


@pytest.fixture(scope="module")
def deep(pack, native, bridge, tmp_path_factory):
    """Thirty layers, as ComfyUI's hinted layers assume: ComfyUI's MODEL, ours, and ComfyUI's with our forward."""
    config = replace(native.CONFIG, n_layers=30)
    stock = native.model(config)
    ours = native.ours(pack, tmp_path_factory.mktemp("deep"), config)
    return SimpleNamespace(native=stock, ours=ours, attached=bridge.attach.attach(stock))


@pytest.fixture(scope="module")
def vae(pack):
    return pack.bridge_vae.load_vae(pack.bridge_files.path_of(pack.core_networks.VAE, pack.bridge_files.BUILT_IN))


@pytest.fixture(scope="module")
def patches(comfy, bridge, tmp_path_factory):
    """A release's MODEL_PATCH as the stock loader makes it, and as ours makes it of the same weights."""
    import comfy.ldm.lumina.controlnet
    import comfy.model_patcher
    import comfy.ops

    import tiny

    folder = tmp_path_factory.mktemp("model_patches")

    def make(name):
        network = comfy.ldm.lumina.controlnet.ZImage_Control(
            dim=256,
            n_heads=8,
            n_kv_heads=8,
            **RELEASES[name],
            dtype=torch.float32,
            device="cpu",
            operations=comfy.ops.manual_cast,
        )
        tiny.fill(network, 9)
        cpu = torch.device("cpu")
        stock = comfy.model_patcher.CoreModelPatcher(network, load_device=cpu, offload_device=cpu)
        state = network.state_dict()
        if network.broken:  # so that the file says what the attribute does
            state["control_noise_refiner.0.after_proj.weight"] = torch.zeros(256, 256)
        file = folder / f"{name}.safetensors"
        save_file({key: value.clone() for key, value in state.items()}, file)
        return SimpleNamespace(stock=stock, ours=bridge.net.load_control(str(file)))

    return cache(make)


@pytest.fixture
def lite(patches):
    return patches("2.1 lite")


@pytest.fixture
def calls(lite):
    """Every run of the first control layer in our lite network."""
    seen = []
    hook = lite.ours.model.control_layers[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    yield seen
    hook.remove()


@pytest.fixture(scope="module")
def steer(bridge, vae):
    """Our node, as the executor calls it."""

    def call(model, patch, **inputs):
        settings = {"strength": 0.8, "start_percent": 0.0, "end_percent": 1.0, "computation": "author", "vae": vae}
        return bridge.nodes.ZImageControl.execute(model=model, control_net=patch, **{**settings, **inputs}).result[0]

    return call
