"""Every shipped blueprint is listed by the real server, converted within a workflow, and executed."""

import json
from typing import Any

import pytest
from PIL import Image

from paths import REPOSITORY
from tools.comfyui import comfyui_folder
from tools.workflows import Prompt

BLUEPRINTS = sorted((REPOSITORY / "subgraphs").glob("*.json"))
each_blueprint = pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)

FROM_PICTURE = {"IMAGE": 0, "MASK": 1}  # outputs of Load Image


def read(blueprint) -> dict[str, Any]:
    return json.loads(blueprint.read_text("utf-8"))


def definition(graph: dict[str, Any]) -> dict[str, Any]:
    (subgraph,) = graph["definitions"]["subgraphs"]
    return subgraph


def inserted(graph: dict[str, Any]) -> dict[str, Any]:
    """A workflow with the blueprint between Load Image and Save Image."""
    (instance,) = graph["nodes"]
    load = {"id": 101, "type": "LoadImage", "mode": 0, "inputs": [], "widgets_values": ["example.png", "image"]}
    save = {"id": 102, "type": "SaveImage", "mode": 0, "outputs": [], "widgets_values": ["blueprint"]}
    load["outputs"] = [{"name": kind, "type": kind, "links": []} for kind in FROM_PICTURE]
    save["inputs"] = [{"name": "images", "type": "IMAGE", "link": 1}]
    links = [[1, instance["id"], 0, 102, 0, "IMAGE"]]
    instance["outputs"][0]["links"] = [1]
    for slot, each in enumerate(instance["inputs"]):
        if each["type"] in FROM_PICTURE:
            output = FROM_PICTURE[each["type"]]
            links.append([len(links) + 1, 101, output, instance["id"], slot, each["type"]])
            each["link"] = len(links)
            load["outputs"][output]["links"].append(len(links))
    nodes = [instance, save, load] if len(links) > 1 else [instance, save]
    return {**graph, "nodes": nodes, "links": links}


def converted(server, graph: dict[str, Any]) -> Prompt:
    from comfy_cli.workflow_to_api import convert_ui_to_api

    prompt = convert_ui_to_api(graph, server.get("/object_info"))
    for each in prompt.values():
        if "megapixels" in each["inputs"]:  # a full megapixel takes minutes on two cores
            each["inputs"]["megapixels"] = min(each["inputs"]["megapixels"], 0.06)
    return prompt


def test_the_common_tasks_have_a_blueprint():
    names = " ".join(blueprint.stem for blueprint in BLUEPRINTS)
    for task in ("Turbo - text to image", "Base - text to image", "Nano - text to image", "image to image", "inpaint"):
        assert task in names
    assert "edit" in names


@each_blueprint
def test_the_node_library_lists_the_blueprint_with_its_content(server, blueprint):
    listed = server.get("/global_subgraphs")
    (key,) = [key for key, each in listed.items() if each["name"] == blueprint.stem]
    assert listed[key]["info"]["node_pack"] == "custom_nodes.zimage-nodes"
    assert json.loads(server.get(f"/global_subgraphs/{key}")["data"]) == read(blueprint)


@each_blueprint
def test_the_blueprint_has_a_description_and_a_category_that_comfyuis_own_use(server, blueprint):
    own = [read(path)["definitions"]["subgraphs"][0] for path in (comfyui_folder() / "blueprints").glob("*.json")]
    assert definition(read(blueprint))["category"] in {each.get("category") for each in own}
    assert len(definition(read(blueprint))["description"]) > 40


@each_blueprint
def test_no_note_or_description_has_inline_code(blueprint):
    subgraph = definition(read(blueprint))
    notes = [str(each["widgets_values"]) for each in subgraph["nodes"] if each["type"].endswith("Note")]
    assert not any("`" in text for text in [subgraph["description"], *notes])


@each_blueprint
def test_prompt_seed_and_size_are_exposed(blueprint):
    graph = read(blueprint)
    (instance,) = graph["nodes"]
    nodes = {str(each["id"]): each for each in definition(graph)["nodes"]}
    for name, widget in instance["properties"]["proxyWidgets"]:
        if widget != "control_after_generate":  # added by the page to seed widgets
            assert widget in [each["name"] for each in nodes[name]["inputs"] if "widget" in each]
    shown = {each["name"] for each in instance["inputs"]}
    assert {"prompt", "seed"} <= shown
    assert "Nano" in blueprint.stem or "megapixels" in shown  # nano has one size
    assert [each["name"] for each in definition(graph)["inputs"]] == [each["name"] for each in instance["inputs"]]


@each_blueprint
def test_every_inner_link_agrees_with_its_endpoints(blueprint):
    subgraph = definition(read(blueprint))
    nodes = {each["id"]: each for each in subgraph["nodes"]}
    inside, outside = subgraph["inputNode"]["id"], subgraph["outputNode"]["id"]
    for link in subgraph["links"]:
        slot, socket = link["origin_slot"], link["target_slot"]
        if link["origin_id"] == inside:
            assert link["id"] in subgraph["inputs"][slot]["linkIds"]
        else:
            assert link["id"] in nodes[link["origin_id"]]["outputs"][slot]["links"]
        if link["target_id"] == outside:
            assert link["id"] in subgraph["outputs"][socket]["linkIds"]
        else:
            assert nodes[link["target_id"]]["inputs"][socket]["link"] == link["id"]


def test_no_two_blueprints_share_the_id_of_a_node():
    """The page stores widget values by node id, so values of a deleted blueprint would leak into the next one."""
    ids = [each["id"] for blueprint in BLUEPRINTS for each in definition(read(blueprint))["nodes"]]
    assert len(ids) == len(set(ids))


@each_blueprint
def test_an_inserted_blueprint_runs_and_its_picture_is_saved(server, run, blueprint):
    outcome = run(converted(server, inserted(read(blueprint))))
    assert outcome.error is None, outcome.error
    (file,) = outcome.files
    assert Image.open(file).getextrema() != ((0, 0),) * 3  # not black


def kinds_and_values(prompt: Prompt) -> list[tuple[str, str]]:
    """Class and numeric inputs of every node, without the seed and node ids."""

    def numbers(inputs: dict[str, Any]) -> str:
        return json.dumps({k: v for k, v in inputs.items() if not isinstance(v, list | str) and k != "seed"})

    return sorted((each["class_type"], numbers(each["inputs"])) for each in prompt.values())


@pytest.mark.parametrize("name", ["Z-Image Turbo - text to image", "Z-Image Base - text to image"])
def test_a_blueprint_has_the_settings_of_the_workflow_of_its_name(server, name):
    graph = json.loads((REPOSITORY / f"workflows/{name}.json").read_text("utf-8"))
    blueprint = converted(server, inserted(read(REPOSITORY / f"subgraphs/{name}.json")))
    assert kinds_and_values(blueprint) == kinds_and_values(converted(server, graph))
