"""What a ComfyUI of any age may expect of a pack before it runs anything."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest

from comfyui_install import needs_comfyui
from paths import REPOSITORY
from tools.comfyui import comfyui_folder

MODULES = {file.stem for file in (REPOSITORY / "nodes").glob("*.py") if file.stem != "__init__"}
SOURCES = sorted(file for folder in ("nodes", "zimage_core") for file in (REPOSITORY / folder).rglob("*.py"))

# Loads the pack as ComfyUI does, in a process of its own: `before` may change ComfyUI first.
PROGRAM = """
import asyncio, contextlib, importlib.util, io as text, json, logging, sys
sys.argv = ["comfyui", "--cpu"]
sys.path.insert(0, {comfyui!r})
with contextlib.redirect_stdout(text.StringIO()), contextlib.redirect_stderr(text.StringIO()):
    import comfy.options; comfy.options.enable_args_parsing()
    import nodes, latent_preview, folder_paths
    from comfy_api.latest import io
{before}
told = text.StringIO()
logging.getLogger("zimage").addHandler(logging.StreamHandler(told))
name, start = {pack!r}.replace(".", "_x_"), {pack!r} + "/__init__.py"
spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[{pack!r}])
sys.modules[name] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
extension = asyncio.run(module.comfy_entrypoint())
found = asyncio.run(extension.get_node_list())
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
ids = [node.GET_SCHEMA().node_id for node in found]
print(json.dumps(dict(ids=ids, told=told.getvalue().splitlines(), opened=opened)))
"""


def loaded(pack, before: str = "") -> dict:
    program = PROGRAM.format(comfyui=str(comfyui_folder()), pack=str(pack), before=before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def whole(archive):
    return loaded(archive)


def groups_of(pack) -> dict[str, set[str]]:
    """Node ids by the file they stand in."""
    return {
        name: set(re.findall(r'node_id="(\w+)"', (pack / f"nodes/{name}.py").read_text("utf-8"))) for name in MODULES
    }


@needs_comfyui
def test_the_archive_brings_every_node_and_complains_of_nothing(archive, whole):
    assert set(whole["ids"]) == set().union(*groups_of(archive).values())
    assert whole["told"] == []


@needs_comfyui
def test_describing_the_nodes_opens_no_file(whole):
    """ComfyUI asks on every look at the page; names of files come from its cached lists."""
    assert whole["opened"] == []


BREAKS = {
    "speed": "from comfy_api.latest import io\nio.SomethingOfNextYear",
    "inspect": "import a_package_nobody_has",
    "optimize": "def (",
}


@needs_comfyui
def test_a_broken_group_costs_its_own_nodes_and_one_line(archive, tmp_path):
    pack = tmp_path / "pack with spaces-and-hyphens"
    shutil.copytree(archive, pack)
    lost = set().union(*(groups_of(archive)[name] for name in BREAKS))
    for name, code in BREAKS.items():
        (pack / f"nodes/{name}.py").write_text(code, "utf-8")
    found = loaded(pack)
    assert set(found["ids"]) == set().union(*groups_of(archive).values()) - lost
    assert len(found["told"]) == len(BREAKS)
    for line in found["told"]:
        assert re.match(
            r"Z-Image: the (speed|inspect|optimize) nodes are missing because .+; this pack needs ComfyUI", line
        )


OLD = """
class Schema(io.Schema):
    def __init__(self, *, search_aliases=None, **fields):
        if search_aliases is not None:
            raise TypeError("Schema.__init__() got an unexpected keyword argument 'search_aliases'")
        super().__init__(**fields)
io.Schema = Schema
"""


@needs_comfyui
def test_a_comfyui_older_than_the_words_of_a_schema_gets_a_sentence_for_each_group(archive):
    """Before 0.11 nodes had no search aliases."""
    found = loaded(archive, before=OLD)
    assert found["ids"] == []
    assert found["told"] and all("search_aliases" in line and "needs ComfyUI 0.16" in line for line in found["told"])


def test_no_file_imports_our_packages_by_an_absolute_name():
    """Another pack may bring a zimage_core of its own, and `nodes` is ComfyUI's."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names.append(node.module)
            assert not {name.partition(".")[0] for name in names} & {
                "zimage_core",
                "nodes",
                "bench",
                "tools",
                "tests",
            }, file


def test_no_old_style_mapping_stands_anywhere():
    """Even an empty one hides every node of the new kind."""
    for file in [REPOSITORY / "__init__.py", *SOURCES]:
        assert not re.search(r"^NODE_\w*MAPPINGS", file.read_text("utf-8"), re.MULTILINE), file


def test_every_node_module_is_under_the_import_contract(project):
    forbidden = project["tool"]["importlinter"]["contracts"][0]
    listed = {name.removeprefix("zimage_pack.nodes.") for name in forbidden["source_modules"]}
    assert listed == MODULES | {"zimage_pack.zimage_core"}


def test_every_node_module_is_one_that_is_gathered():
    """A file of nodes that nobody imports would be missed by nobody."""
    source = (REPOSITORY / "nodes/__init__.py").read_text("utf-8")
    gathered = set(re.findall(r'"(\w+)"', source.partition("GROUPS = (")[2].partition("\n)")[0]))
    with_nodes = {name for name, ids in groups_of(REPOSITORY).items() if ids}
    assert gathered == with_nodes


def test_what_a_node_checks_of_its_inputs_is_one_input_at_a_time():
    """A returned sentence is shown at every input that `validate_inputs` names."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "validate_inputs":
                assert len(node.args.args) + len(node.args.kwonlyargs) == 2 and node.args.kwarg is None, file
