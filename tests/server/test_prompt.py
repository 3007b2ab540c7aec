"""Z-Image Prompt on the real server: the picture of the finished prompt, which the picture's metadata names."""

import json
import time
from random import Random
from typing import Any

import pytest
from PIL import Image

from prompt_graphs import encode, node, text_to_image
from tools.comfyui import Server

COLOURS, SHAPES = ("red", "blue", "green"), ("circle", "star")
TEXT = "a large {red|blue|green} {circle|star} in the middle on a white background"


def finished(seed):
    """By Python's own choice."""
    random = Random(seed)
    colour, shape = random.choices(COLOURS)[0], random.choices(SHAPES)[0]
    return f"a large {colour} {shape} in the middle on a white background"


def graph(seed, text=TEXT, style="none"):
    writer = node("ZImagePrompt", text=text, style=style, seed=seed)
    return {**text_to_image(), "writer": writer, "positive": encode(["writer", 0])}


@pytest.mark.parametrize("seed", [0, 5, 2**64 - 1])
def test_it_draws_the_picture_of_the_finished_prompt_and_names_it(run, seed):
    told = []
    outcome = run(
        graph(seed),
        lambda kind, data: (
            told.append(data["output"]["text"]) if kind == "executed" and data["node"] == "writer" else None
        ),
    )
    assert outcome.error is None, outcome.error
    typed = run(text_to_image(finished(seed)))
    picture, same = Image.open(outcome.files[0]), Image.open(typed.files[0])
    assert picture.tobytes() == same.tobytes()
    assert told == [[finished(seed)]]
    assert json.loads(picture.text["zimage"])[0]["prompt"] == finished(seed)
    assert json.loads(picture.text["prompt"])["writer"]["inputs"]["text"] == TEXT  # to draw others of it


def test_a_second_run_writes_nothing_again_and_still_tells_the_finished_prompt(run, server):
    run(graph(3))
    again = run(graph(3))
    assert again.executed == []
    assert outputs_of(server, again.prompt_id)["writer"]["text"] == [finished(3)]


def outputs_of(server: Server, prompt_id: str) -> dict[str, Any]:
    """What the server's history holds of a run; it is written shortly after the run is said to have ended."""
    while prompt_id not in (history := server.get(f"/history/{prompt_id}")):
        time.sleep(0.05)
    return history[prompt_id]["outputs"]


def test_a_mistake_is_said_on_the_node(run):
    outcome = run(graph(0, text="a {red|blue fox"))
    assert "writer" in str(outcome.error) or "ZImagePrompt" in str(outcome.error)
    assert "is not closed" in str(outcome.error)


def test_the_page_decides_nothing_in_this_box_and_still_does_in_the_encoders(server):
    known = server.get("/object_info")
    assert not known["ZImagePrompt"]["input"]["required"]["text"][1]["dynamicPrompts"]
    assert known["ZImageTextEncode"]["input"]["required"]["prompt"][1]["dynamicPrompts"]


def test_the_dropdown_has_no_style_first_and_the_library_in_both_languages(server):
    [_, options] = server.get("/object_info")["ZImagePrompt"]["input"]["required"]["style"]
    assert options["options"][0] == options["default"] == "none"
    assert "Film photograph 胶片摄影" in options["options"]
