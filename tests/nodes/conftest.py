"""ComfyUI's modules in this process, on the CPU, with the pack loaded as ComfyUI loads it: by path."""

import importlib
import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from comfyui import comfyui_folder
from paths import REPOSITORY

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
    bridge = ("model", "dit", "text", "vae", "files", "latents", "images", "prompts", "loras", "attach")
    return SimpleNamespace(
        entry=module,
        groups=[load(f"nodes.{name}") for name in groups],
        **{f"bridge_{name}": load(f"nodes.bridge.{name}") for name in bridge},
        bridge_sampling=load("nodes.bridge.sampling"),
    )
