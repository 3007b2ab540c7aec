"""Fixtures of the tests of inpainting."""

import importlib

import pytest
from safetensors.torch import save_file

import tiny


@pytest.fixture(scope="module")
def nodes(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.inpaint")


@pytest.fixture(scope="module")
def vae(pack, tmp_path_factory):
    file = tmp_path_factory.mktemp("vae") / "ae.safetensors"
    save_file(tiny.vae().state_dict(), file)
    return pack.bridge_vae.load_vae(str(file))
