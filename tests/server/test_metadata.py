"""A saved picture says which lossy levers were on, because ComfyUI writes the graph that drew it into the file."""

import json

import pytest
from PIL import Image

from graphs import encode, node, text_to_image

LEVERS = {"cfg_normalization": 1.0, "cfg_truncation": 0.6, "cfg_start": 0.05}
CACHE = {"threshold": 0.1, "start_percent": 0.15, "end_percent": 0.95, "max_skips": 3}


def lossy():
    """Nano at base's settings with a step cache and guidance in an interval."""
    prompt = text_to_image("a small blue star at the top left on a yellow background")
    prompt["negative"] = encode("")
    prompt["cached"] = node("ZImageStepCache", model=["model", 0], **CACHE)
    prompt["sampler"] = node(
        "ZImageSampler",
        model=["cached", 0],
        positive=["positive", 0],
        negative=["negative", 0],
        latent=["latent", 0],
        seed=5,
        steps=28,
        cfg=4.0,
        solver="res_multistep",
        shift=6.0,
        strength=1.0,
        **LEVERS,
    )
    prompt["show"] = node("PreviewAny", source=["sampler", 1])
    return prompt


def graph_in(file):
    """The graph in API form that a PNG carries."""
    return json.loads(Image.open(file).text["prompt"])


@pytest.fixture
def drawn(run):
    """The picture, and what its sampler said of its evaluations."""
    told = []

    def listen(kind, data):
        if kind == "executed" and data["node"] == "show":
            told.append(int(data["output"]["text"][0]))

    outcome = run({**lossy(), "save": save("lossy")}, listen)
    assert outcome.error is None, outcome.error
    return outcome.files[0], told[0]


def save(prefix):
    return node("SaveImage", images=["decode", 0], filename_prefix=prefix)


def test_every_lossy_lever_that_was_on_stands_in_the_picture(drawn):
    file, evaluations = drawn
    inputs = {each["class_type"]: each["inputs"] for each in graph_in(file).values()}
    assert inputs["ZImageStepCache"].items() >= CACHE.items()
    assert inputs["ZImageSampler"].items() >= LEVERS.items()
    assert evaluations < 47  # 28 + 19 guided, less what the cache skipped


def test_a_picture_without_levers_names_none(run):
    outcome = run({**text_to_image(seed=91), "save": save("plain")})
    graph = graph_in(outcome.files[0])
    assert "ZImageStepCache" not in {each["class_type"] for each in graph.values()}
    assert not LEVERS.keys() & {name for each in graph.values() for name in each["inputs"]}


def test_a_lever_set_by_another_node_stands_there_with_its_value(run):
    prompt = {**lossy(), "value": node("PrimitiveFloat", value=0.07), "save": save("linked")}
    prompt["cached"]["inputs"]["threshold"] = ["value", 0]
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    graph = graph_in(outcome.files[0])
    link, _ = graph["cached"]["inputs"]["threshold"]
    assert graph[link]["inputs"]["value"] == 0.07


def test_the_graph_in_the_picture_draws_it_again(drawn, run):
    file, _ = drawn
    again = graph_in(file)
    again["save"] = save("again")
    again["sampler"]["inputs"]["seed"] = 6  # something else first, so that nothing is taken from the server's cache
    run(again)
    again["sampler"]["inputs"]["seed"] = 5
    outcome = run(again)
    assert "sampler" in outcome.executed
    assert Image.open(outcome.files[0]).tobytes() == Image.open(file).tobytes()
