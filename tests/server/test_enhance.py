"""Z-Image Enhance Prompt on the real server: nano solves a riddle, draws it, and is not asked twice."""

import json

import pytest
from PIL import Image

from prompt_graphs import encode, node, text_to_image

RIDDLE = "the shape with three corners in the colour of the sky"
OWN = "a small red heart in the middle on a white background"


def graph(request=RIDDLE, **widgets):
    settings = {
        **{"when": "always", "language": "as the request", "length": "medium", "seed": 0, "thinking": 256},
        **{"instruction": "by language", "keep_on_disk": False, "own_prompt": ""},
    }
    base = text_to_image()
    clip = base["positive"]["inputs"]["clip"]
    writer = node("ZImageEnhancePrompt", clip=clip, request=request, **(settings | widgets))
    show = node("PreviewAny", source=["writer", 1])
    return {**base, "writer": writer, "thought": show, "positive": encode(["writer", 0])}


def run_and_listen(run, prompt):
    told = {}
    outcome = run(
        prompt, lambda kind, data: told.update({data["node"]: data["output"]}) if kind == "executed" else None
    )
    assert outcome.error is None, outcome.error
    return outcome, told


def test_a_riddle_is_solved_in_either_language_and_a_second_run_asks_nothing(run):
    outcome, told = run_and_listen(run, graph())
    assert "triangle" in told["writer"]["text"][0] and "blue" in told["writer"]["text"][0]
    assert "three corners" in told["thought"]["text"][0]  # the thought is an output of its own
    assert outcome.files
    again, _ = run_and_listen(run, graph())
    assert again.executed == []
    _, chinese = run_and_listen(run, graph(language="Chinese"))
    assert "三角形" in chinese["writer"]["text"][0] and "蓝" in chinese["writer"]["text"][0]


def test_a_text_of_ones_own_is_drawn_and_nothing_is_asked(run):
    _, told = run_and_listen(run, graph(own_prompt=OWN))
    assert "writer" not in told
    edited, plain = (run_and_listen(run, each)[0] for each in (graph(own_prompt=OWN), text_to_image(OWN)))
    assert Image.open(edited.files[0]).tobytes() == Image.open(plain.files[0]).tobytes()


@pytest.mark.parametrize("when", ["off", "when it needs reasoning"])
def test_a_request_left_as_it_is_draws_the_same_picture(run, when):
    _, told = run_and_listen(run, graph(OWN, when=when))
    assert "writer" not in told or told["writer"]["text"][0].startswith("The request stays")


def test_a_text_that_has_to_be_read_and_is_lost_brings_the_request_back(run):
    _, told = run_and_listen(run, graph('a red heart that says "LOVE"'))
    assert told["writer"]["text"] == ['The request stays as it is: the text "LOVE" is missing.']


def entries(file):
    return json.loads(Image.open(file).text["zimage"])


def test_what_was_written_stands_in_the_picture_and_is_known_to_scores_and_saves(run):
    """Nano's checker needs the prompt, which only the enhancer tells; Pick Best does before it has run."""
    drawn = graph(seed=11)
    drawn["best"] = node(
        "ZImagePickBest",
        images=["decode", 0],
        score="nano's scene",
        tries=2,
        good_enough=2.0,
        prompt="",
        texts="",
        reader="automatic",
    )
    drawn["score"] = node(
        "ZImageScore", images=["best", 0], score="nano's scene", prompt="", texts="", reader="automatic"
    )
    drawn["named"] = node("ZImageSaveImage", images=["best", 0], filename_prefix="written", parameters=True)
    for _ in range(2):  # drawn, then from ComfyUI's cache
        drawn["named"]["inputs"]["filename_prefix"] += "_"
        outcome, _ = run_and_listen(run, drawn)
        file = next(each for each in outcome.files if each.name.startswith("written"))
        written = next(each["enhanced"] for each in entries(file) if "enhanced" in each)
        sampler = next(each for each in entries(file) if "sampler" in each)
        assert (written["request"], written["seed"], written["instruction"]) == (RIDDLE, 11, "enhance.en")
        assert written["writer"] == "nano's writer" and "triangle" in written["written"][0]
        assert sampler["prompt"] == written["written"][0]
        assert Image.open(file).text["parameters"].startswith(written["written"][0])


def test_several_texts_are_several_pictures(run):
    drawn = graph("a heart", seed=5, variations=3, thinking=0)
    drawn["positive"] = encode(["writer", 3])
    outcome, told = run_and_listen(run, drawn)
    texts = told["writer"]["text"][0].split("\n---\n")
    assert len(texts) == len(set(texts)) == len(outcome.files) > 1
    assert all("heart" in each for each in texts)
    assert told["writer"]["zimage_written"] == ["\n---\n".join(texts)]
    mine = {
        **drawn,
        "writer": {
            **drawn["writer"],
            "inputs": {**drawn["writer"]["inputs"], "own_prompt": f"{OWN}\n---\na blue star"},
        },
    }
    assert len(run_and_listen(run, mine)[0].files) == 2


def test_nano_writes_no_negative_prompt_and_says_so(run):
    _, told = run_and_listen(run, graph(kind="negative prompt"))
    assert told["writer"]["text"] == ["Nothing was written: this model writes prompts only."]


def test_pictures_that_nobody_reads_for_are_no_second_complaint(run):
    asked = graph("make it red", kind="edit instruction", images=["picture", 0])
    asked = {name: asked[name] for name in ("writer", "thought", "clip") if name in asked}
    asked["picture"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0)
    _, told = run_and_listen(run, asked)
    assert told["writer"]["text"] == ["The request stays as it is: this model writes prompts only."]
