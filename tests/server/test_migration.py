"""Old workflows: saved by the first version of this pack, or with node ids that have been replaced."""

import asyncio
import json

import pytest
from PIL import Image

from paths import REPOSITORY
from prompt_graphs import node, text_to_image
from tools.comfyui import comfyui_folder, running_server
from tools.workflows import execute, to_prompt

SAVED = sorted((REPOSITORY / "tests/release/saved").glob("*.json"))  # as shipped by the first version
CAME_LATER = {"ZImageTextEncode": {"remember": "memory"}, "ZImageSampler": {"cfg_start": 0.0}}


def small(prompt):
    """The prompt graph at a small size, as a full megapixel takes minutes on two cores."""
    for each in prompt.values():
        if "megapixels" in each["inputs"]:
            each["inputs"]["megapixels"] = min(each["inputs"]["megapixels"], 0.06)
    return prompt


def first_version_prompt(prompt):
    """The prompt graph as sent by a client of the first version: without inputs added later."""
    return {
        name: {**each, "inputs": {key: value for key, value in each["inputs"].items() if key not in later(each)}}
        for name, each in prompt.items()
    }


def later(each):
    return CAME_LATER.get(each["class_type"], {})


def pictures(outcome):
    assert outcome.error is None, outcome.error
    return [Image.open(file).tobytes() for file in outcome.files]


@pytest.mark.parametrize("file", SAVED, ids=lambda path: path.stem)
def test_a_graph_of_the_first_version_keeps_its_values_and_gets_neutral_ones_for_the_rest(server, file):
    """Saved workflows store widget values by position; the first version's order is in tests/release."""
    record = json.loads((file.parents[1] / "first_definitions.json").read_text("utf-8"))
    prompt = to_prompt(server, file)
    for saved in json.loads(file.read_text("utf-8"))["nodes"]:
        if saved["type"] in record:
            values = [value for value in saved["widgets_values"] if value not in ("fixed", "randomize")]
            expected = dict(zip(record[saved["type"]]["widgets"], values, strict=True))
            read = prompt[str(saved["id"])]["inputs"]
            assert read.items() >= {**expected, **CAME_LATER.get(saved["type"], {})}.items()


@pytest.mark.parametrize("file", SAVED, ids=lambda path: path.stem)
def test_an_old_client_and_the_current_page_draw_the_same_picture(server, run, file):
    today = small(to_prompt(server, file))
    assert first_version_prompt(today) != today
    assert (
        pictures(run(with_prefix(first_version_prompt(today), "then")))
        == pictures(run(with_prefix(today, "today")))
        != []
    )


def with_prefix(prompt, prefix):
    """The prompt graph with its own file name prefix."""
    return {
        name: {**each, "inputs": {**each["inputs"], "filename_prefix": prefix}} if is_save(each) else each
        for name, each in prompt.items()
    }


def is_save(each) -> bool:
    return each["class_type"] == "SaveImage"


# A replacement rule: another node id, renamed inputs, a fixed value for a new input, reordered outputs.
PACK_OF_RULES = """
import importlib.util
from comfy_api.latest import ComfyExtension, io

spec = importlib.util.spec_from_file_location("migration_under_test", {file!r})
migration = importlib.util.module_from_spec(spec)
spec.loader.exec_module(migration)

RULE = io.NodeReplace(
    new_node_id="ZImageTurboSampler",
    old_node_id="ZImageSamplerOfBefore",
    old_widget_ids=["noise_seed", "n_steps"],
    input_mapping=[
        *(dict(new_id=name, old_id=name) for name in ("model", "positive")),
        dict(new_id="latent", old_id="latent_image"),
        dict(new_id="seed", old_id="noise_seed"),
        dict(new_id="steps", old_id="n_steps"),
        dict(new_id="solver", set_value="euler"),
        dict(new_id="shift", set_value=3.0),
        dict(new_id="strength", set_value=1.0),
    ],
    output_mapping=[dict(new_idx=0, old_idx=1), dict(new_idx=1, old_idx=0)],
)

class Rules(ComfyExtension):
    async def on_load(self):
        await migration.register([RULE])

    async def get_node_list(self):
        return []

async def comfy_entrypoint():
    return Rules()
"""


@pytest.fixture(scope="module")
def renaming(tmp_path_factory):
    """A server with the replacement rule installed."""
    if not (comfyui_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui_folder()}; `make test` fetches it")
    base = tmp_path_factory.mktemp("renaming")
    pack = base / "custom_nodes/rules"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK_OF_RULES.format(file=str(REPOSITORY / "nodes/migration.py")), "utf-8")
    with running_server(base, base / "output") as up:
        yield up


def former_workflow(old_id: str):
    """A saved workflow with the sampler under its former id."""
    prompt = text_to_image(seed=7)
    links = {"model": ["model", 0], "positive": ["positive", 0], "latent_image": ["latent", 0]}
    prompt["sampler"] = node(old_id, **links, noise_seed=7, n_steps=4)
    prompt["decode"]["inputs"]["latent"] = ["sampler", 1]
    prompt["save"]["inputs"]["filename_prefix"] = "before"
    return {name: {**each, "_meta": {"title": name}} for name, each in prompt.items()}  # as the page does


def test_a_workflow_with_a_former_id_draws_what_the_current_node_draws(renaming):
    old = asyncio.run(execute(renaming, former_workflow("ZImageSamplerOfBefore")))
    new = asyncio.run(execute(renaming, text_to_image(seed=7, steps=4)))
    assert pictures(old) == pictures(new) != []


def test_the_page_gets_the_rule(renaming):
    (rule,) = renaming.get("/node_replacements")["ZImageSamplerOfBefore"]
    assert rule["new_node_id"] == "ZImageTurboSampler"
    assert rule["old_widget_ids"] == ["noise_seed", "n_steps"]


def test_an_id_without_a_rule_is_refused_by_name(renaming):
    status, answer = renaming.post("/prompt", {"prompt": former_workflow("ZImageSamplerOfNever")})
    assert status == 400
    assert "ZImageSamplerOfNever" in json.dumps(answer)
