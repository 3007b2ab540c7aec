"""Every shipped workflow is converted, validated and executed by the real server."""

import json

import pytest
from PIL import Image

from paths import REPOSITORY
from workflows import to_prompt

WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))


def test_there_are_workflows():
    assert any("text to image" in workflow.name for workflow in WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_workflow_runs_and_saves_a_picture(server, run, workflow):
    prompt = to_prompt(server, workflow)
    for each in prompt.values():
        if "megapixels" in each["inputs"]:  # the shipped seeds, but a whole megapixel takes two cores minutes
            each["inputs"]["megapixels"] = min(each["inputs"]["megapixels"], 0.06)
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert outcome.files
    for file in outcome.files:
        assert Image.open(file).getextrema() != ((0, 0),) * 3  # not black


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_workflow_tells_where_its_nodes_and_models_come_from(workflow):
    graph = json.loads(workflow.read_text("utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        assert node["properties"]["cnr_id"] == ("zimage-nodes" if node["type"].startswith("ZImage") else "comfy-core")
        for model in node["properties"].get("models", []):
            assert model["name"] in node["widgets_values"]
            assert model["url"].endswith(model["name"])
            assert model["url"].startswith("https://huggingface.co/")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_template_browser_lists_the_workflow_with_its_thumbnail(server, workflow):
    assert workflow.stem in server.get("/workflow_templates")["zimage-nodes"]
    assert workflow.with_suffix(".jpg").exists()
