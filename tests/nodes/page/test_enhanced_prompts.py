"""The texts that the enhancer told, read for other nodes: the first, the only one of a list, or none."""

import importlib
from types import SimpleNamespace

import pytest


@pytest.fixture
def modules(pack):
    def load(name):
        return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.{name}")

    return SimpleNamespace(asked=load("asked"), told=load("enhanced_prompts"))


def graph(slot=0, **widgets):
    values = {"request": "a fox", "when": "always", "own_prompt": "", "seed": 1, **widgets}
    return {
        "writer": {"class_type": "ZImageEnhancePrompt", "inputs": values},
        "encode": {"class_type": "ZImageTextEncode", "inputs": {"clip": ["clip", 0], "prompt": ["writer", slot]}},
        "sampler": {"class_type": "KSampler", "inputs": {"positive": ["encode", 0]}},
    }


def asked(modules, prompt):
    return modules.asked.texts_of(prompt, "sampler").get("prompt")


def tell(modules, prompt, *written, entries=()):
    hidden = SimpleNamespace(prompt=prompt, unique_id="writer", extra_pnginfo={"zimage": [*entries]})
    modules.told.tell(hidden, {"request": "a fox", "written": [*written]})
    return hidden.extra_pnginfo["zimage"]


def test_a_text_is_known_once_it_was_told_and_only_to_the_graph_that_wrote_it(modules):
    prompt = graph(seed=77)
    assert asked(modules, prompt) is None
    sampler = {"sampler": "sampler", "steps": 8}
    entries = tell(modules, prompt, "A red fox.", entries=[sampler])
    assert asked(modules, prompt) == "A red fox." and asked(modules, graph(seed=78)) is None
    assert entries[0] == {"sampler": "sampler", "steps": 8, "prompt": "A red fox."}
    assert entries[1] == {"node": "writer", "enhanced": {"request": "a fox", "written": ["A red fox."]}}


def test_of_a_list_no_text_is_the_pictures_own_unless_there_is_one(modules):
    tell(modules, graph(3, seed=5), "A red fox.", "A blue fox.")
    tell(modules, graph(0, seed=5), "A red fox.", "A blue fox.")
    tell(modules, graph(3, seed=6), "A red fox.")
    assert asked(modules, graph(3, seed=5)) is None and asked(modules, graph(0, seed=5)) == "A red fox."
    assert asked(modules, graph(3, seed=6)) == "A red fox."


def test_texts_of_a_persons_own_and_requests_left_alone_are_known_before_the_run(modules):
    assert asked(modules, graph(own_prompt="mine")) == "mine"
    assert asked(modules, graph(own_prompt="mine\n---\nyours")) == "mine"
    assert asked(modules, graph(3, own_prompt="mine\n---\nyours")) is None
    assert asked(modules, graph(when="off")) == "a fox"
    assert asked(modules, graph(when="off", kind="negative prompt")) is None
