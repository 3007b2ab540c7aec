"""Loading the pack is cheap and silent: it brings in nothing that a running ComfyUI has not loaded already."""

import json
import subprocess
import sys

import pytest

from comfyui_install import needs_comfyui
from paths import REPOSITORY
from tools.comfyui import comfyui_folder

PROGRAM = """
import sys, json, asyncio, importlib.util, contextlib, io
sys.argv = ["comfyui", "--cpu"]
sys.path.insert(0, {comfyui!r})
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import comfy.options; comfy.options.enable_args_parsing()
    import nodes, latent_preview, folder_paths, comfy_api.latest
before, printed = set(sys.modules), io.StringIO()
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    spec = importlib.util.spec_from_file_location("pack-with-a-hyphen", {pack!r}, submodule_search_locations=[{root!r}])
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack-with-a-hyphen"] = module
    spec.loader.exec_module(module)
    at_import = set(sys.modules) - before
    extension = asyncio.run(module.comfy_entrypoint())
    found = asyncio.run(extension.get_node_list())
brought = {{name.split(".")[0] for name in set(sys.modules) - before}}
told = {{"at_import": sorted(at_import), "brought": sorted(brought)}}
print(json.dumps({{**told, "printed": printed.getvalue(), "nodes": [node.define_schema().node_id for node in found]}}))
"""


@pytest.fixture(scope="module")
def loaded():
    program = PROGRAM.format(comfyui=str(comfyui_folder()), pack=str(REPOSITORY / "__init__.py"), root=str(REPOSITORY))
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
@needs_comfyui
def test_importing_the_pack_imports_nothing(loaded):
    assert loaded["at_import"] == ["pack-with-a-hyphen"]


@needs_comfyui
def test_gathering_the_nodes_brings_in_no_library_and_prints_nothing(loaded):
    assert set(loaded["brought"]) <= {
        "pack-with-a-hyphen",
        "comfyui_version",
        "jaxtyping",
    }  # the last in development only
    assert loaded["printed"] == ""

    # ids saved graphs may hold, each as first published
    published = json.loads((REPOSITORY / "tests" / "release" / "first_definitions.json").read_text())
    assert sorted(loaded["nodes"]) == sorted(published)
