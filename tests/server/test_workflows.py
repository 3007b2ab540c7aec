"""Every shipped workflow is converted, validated and executed by the real server."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from PIL import Image, ImageStat

from paths import REPOSITORY
from shipped_workflows import WORKFLOWS, affordable, each_workflow
from tools.workflows import to_prompt

APPS = [workflow for workflow in WORKFLOWS if workflow.stem.endswith("App mode")]

PLAIN = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}  # input types shown as widgets
NOTE = "MarkdownNote"
TELLING = {"ZImageCaptionFolder", "ZImageCurate"}  # nodes of workflows that end in words


def read(workflow) -> dict[str, Any]:
    return json.loads(workflow.read_text("utf-8"))


def test_there_are_workflows():
    assert any("text to image" in workflow.name for workflow in WORKFLOWS)


@each_workflow
def test_the_workflow_runs_and_saves_a_picture(server, run, workflow):
    prompt = affordable(to_prompt(server, workflow))
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert outcome.files or TELLING & {node["class_type"] for node in prompt.values()}
    for file in outcome.files:
        assert Image.open(file).getextrema() != ((0, 0),) * 3  # not black


@each_workflow
def test_the_workflow_uses_this_pack_and_comfyuis_own_nodes_only(definitions, workflow):
    for each in read(workflow)["nodes"]:
        if each["type"] == NOTE:
            continue
        is_ours = each["type"].startswith("ZImage")
        assert definitions[each["type"]]["python_module"].startswith(
            "custom_nodes" if is_ours else ("nodes", "comfy_extras")
        )
        assert each["properties"]["cnr_id"] == ("zimage-nodes" if is_ours else "comfy-core")
        assert re.fullmatch(r"\d+\.\d+\.\d+", each["properties"]["ver"])


@each_workflow
def test_the_workflow_holds_a_value_for_every_widget(definitions, workflow):
    """Including widgets added later: values are stored by position, so a missing one would shift the others."""
    for each in read(workflow)["nodes"]:
        if each["type"] != NOTE:
            assert len(each["widgets_values"]) == count_widgets(definitions[each["type"]]), each["type"]


def count_widgets(definition: dict[str, Any]) -> int:
    """Number of a node's widgets, including those the page adds to seeds and uploads."""
    count = 0
    inputs = {**definition["input"]["required"], **definition["input"].get("optional", {})}
    for kind, *options in inputs.values():
        asked = options[0] if options else {}
        if (isinstance(kind, list) or kind in PLAIN) and not asked.get("forceInput"):
            count += 1 + bool(asked.get("control_after_generate")) + bool(asked.get("image_upload"))
    return count


@each_workflow
def test_every_link_agrees_with_its_endpoints(workflow):
    graph = read(workflow)
    nodes = {each["id"]: each for each in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    for link, source, output, target, socket, kind in graph["links"]:
        assert link in nodes[source]["outputs"][output]["links"]
        assert nodes[source]["outputs"][output]["type"] == kind
        assert nodes[target]["inputs"][socket]["link"] == link
    listed = {link[0] for link in graph["links"]}
    assert {each["link"] for n in graph["nodes"] for each in n["inputs"] if each.get("link") is not None} == listed


def official_models() -> dict[str, tuple[str, str]]:
    """URL and folder of every model file in ComfyUI's own Z-Image templates."""
    form = re.compile(r'"name":\s*"([^"]+)",\s*"url":\s*"([^"?]+)[^"]*",\s*"directory":\s*"([^"]+)"')
    found = {}
    for template in (files("comfyui_workflow_templates_json") / "templates").iterdir():
        text = template.read_text("utf-8") if template.name.endswith(".json") else ""
        if "z_image" in text:
            found |= {name: (url, folder) for name, url, folder in form.findall(text)}
    return found


OFFICIAL = official_models() | {  # and files not in them yet, from the author's page
    "Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors": (
        "https://huggingface.co/alibaba-pai/Z-Image-Turbo-Fun-Controlnet-Union-2.1/resolve/main/"
        "Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors",
        "model_patches",
    )
}


@each_workflow
def test_a_missing_file_can_be_offered_for_download_from_where_comfyui_has_it(workflow):
    for each in read(workflow)["nodes"]:
        wanted = {value for value in each["widgets_values"] if str(value).endswith(".safetensors")}
        models = each["properties"].get("models", [])
        assert {model["name"] for model in models} == wanted
        for model in models:
            assert (model["url"], model["directory"]) == OFFICIAL[model["name"]]


@each_workflow
def test_a_note_explains_the_workflow_in_english_and_chinese_and_links_the_files(workflow):
    graph = read(workflow)
    (text,) = [each["widgets_values"][0] for each in graph["nodes"] if each["type"] == NOTE]
    assert len(re.findall(r"[a-z]+", text)) > 30
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 20
    wanted = [model["url"] for each in graph["nodes"] for model in each["properties"].get("models", [])]
    assert all(f"]({url})" in text for url in wanted)
    assert "](https://" in text


@each_workflow
def test_the_template_browser_lists_the_workflow_with_its_thumbnail(server, workflow):
    assert workflow.stem in server.get("/workflow_templates")["zimage-nodes"]
    thumbnail = workflow.with_suffix(".jpg")
    picture = Image.open(thumbnail)
    assert (picture.format, picture.size) == ("JPEG", (512, 512))
    assert ImageStat.Stat(picture.convert("L")).mean[0] > 80  # no dark graph
    assert thumbnail.stat().st_size < 60_000


def test_a_missing_lora_is_named_on_its_node(server):
    workflow = REPOSITORY / "workflows/Z-Image Turbo - LoRA.json"
    prompt = affordable(to_prompt(server, workflow))
    (loader,) = [name for name, each in prompt.items() if each["class_type"] == "ZImageLoraLoader"]
    prompt[loader]["inputs"]["lora_1"] = "not_here.safetensors"
    status, answer = server.post("/prompt", {"prompt": prompt})
    assert status == 400
    (error,) = answer["node_errors"][loader]["errors"]
    assert error["extra_info"]["input_name"] == "lora_1"
    assert "not_here.safetensors" in error["details"]


@each_workflow
def test_the_note_starts_with_one_line_in_each_language_and_has_no_inline_code(workflow):
    """The template browser cannot show a description; Nodes 2.0 shows inline code dark on dark."""
    (text,) = [each["widgets_values"][0] for each in read(workflow)["nodes"] if each["type"] == NOTE]
    assert re.fullmatch(r"[A-Z][^.]{15,90}\. [^。]*[\u4e00-\u9fff][^。]*。", text.splitlines()[0])
    assert "`" not in text


def test_titles_say_the_model_and_the_task():
    """The browser shows file names; the file name's first word is what one searches for."""
    for workflow in WORKFLOWS:
        assert re.fullmatch(r"Z-Image (Turbo|Base|Nano) - [\w -]+", workflow.stem)


def test_there_is_a_workflow_in_app_mode_that_needs_no_files():
    assert any("Nano" in workflow.name for workflow in APPS)


@pytest.mark.parametrize("workflow", APPS, ids=lambda path: path.stem)
def test_app_mode_shows_the_prompt_the_seed_and_the_saved_picture(server, workflow):
    graph = read(workflow)
    nodes = {str(each["id"]): each for each in graph["nodes"]}
    assert graph["extra"]["linearMode"] is True
    shown = graph["extra"]["linearData"]
    for name, widget in shown["inputs"]:
        assert widget in [each["name"] for each in nodes[name]["inputs"] if "widget" in each]
    assert {"prompt", "seed"} <= {widget for _, widget in shown["inputs"]}
    assert [nodes[name]["type"] for name in shown["outputs"]] == ["SaveImage"]
