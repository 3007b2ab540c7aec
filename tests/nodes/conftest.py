"""ComfyUI's modules in this process, on the CPU, with the pack loaded as ComfyUI loads it: by path."""

import importlib
import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from paths import REPOSITORY
from tools.comfyui import comfyui_folder

PACKAGE = "zimage_pack"


@pytest.fixture(scope="session")
def comfy() -> ModuleType:
    """The `comfy` package of the real ComfyUI."""
    folder = comfyui_folder()
    if not (folder / "main.py").exists():
        pytest.skip(f"no ComfyUI in {folder}; `make test` fetches it")
    sys.path.insert(0, str(folder))
    arguments, sys.argv = sys.argv, ["comfyui", "--cpu"]
    options = importlib.import_module("comfy.options")
    options.enable_args_parsing()
    try:
        importlib.import_module("comfy.model_management")
    finally:
        sys.argv = arguments
    for name in ("sd", "samplers", "sample", "ops", "ldm.lumina.model", "text_encoders.z_image"):
        importlib.import_module(f"comfy.{name}")
    return sys.modules["comfy"]


@pytest.fixture(autouse=True)
def _as_comfyui_runs_nodes():
    """Its executor calls every node in inference mode."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def native(comfy) -> ModuleType:
    """ComfyUI's own Z-Image, made small (tests/helpers/native.py)."""
    return importlib.import_module("native")


@pytest.fixture(scope="session")
def pack(comfy) -> SimpleNamespace:
    """The pack's modules by their short names."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, REPOSITORY / "__init__.py", submodule_search_locations=[str(REPOSITORY)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    groups = ("loaders", "conditioning", "latent", "sampling", "image", "lora", "inspect")
    bridge = {
        "network": ("dit", "blocks", "attach", "step_memory"),
        "loading": ("model", "text", "embedding_table", "vae", "files", "vision"),
        "patches": ("loras",),
        "tasks": ("latents", "images", "model_shift", "noise", "prompts", "sampling"),
    }
    return SimpleNamespace(
        entry=module,
        groups=[load(f"nodes.{name}") for name in groups],
        **{f"bridge_{name}": load(f"nodes.bridge.{at}.{name}") for at, names in bridge.items() for name in names},
        core_model=load("zimage_core.model"),
        core_networks=load("zimage_core.checkpoints.networks"),
        editing=load("nodes.editing"),
    )


@pytest.fixture(scope="session")
def lora_folder(comfy, tmp_path_factory):
    """A models/loras of the tests' own."""
    import folder_paths

    place = tmp_path_factory.mktemp("loras")
    folder_paths.add_model_folder_path("loras", str(place), is_default=True)
    return place


@pytest.fixture(scope="session")
def draw(comfy):
    """The stock KSampler, two steps with a negative prompt."""
    import native
    import native_pictures

    def call(model):
        return native_pictures.draw(native, model, steps=2, cfg=2.0)

    return call


@pytest.fixture(scope="session")
def use(pack, lora_folder):
    """Our node's call on LoRA files given by their tensors or by name."""
    loader = pack.groups[5].ZImageLoraLoader

    def call(model, *rows):
        inputs = {}
        for index in range(4):
            state, strength = rows[index] if index < len(rows) else ("none", 1.0)
            name = state
            if not isinstance(state, str):
                name = f"lora_{index}.safetensors"
                save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, lora_folder / name)
            inputs |= {f"lora_{index + 1}": name, f"strength_{index + 1}": strength}
        return loader.execute(model=model, **inputs).result

    return call
