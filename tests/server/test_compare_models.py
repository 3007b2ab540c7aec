"""Z-Image Compare Models on the real server: pictures as graphs by hand draw them, and the verdict on their scores."""

import json

import numpy as np
import pytest
from PIL import Image

from prompt_graphs import loaders, node, text_to_image
from zimage_core.evaluation.paired import sign_flips
from zimage_core.grid import chinese_font
from zimage_core.scoring.statistics import sharpness

PROMPTS = ("a small yellow star on the left", "a large black ring on stripes")
SETTINGS = {
    "prompts": "\n".join(PROMPTS),
    "settings_b": "steps = 1",
    "score": "sharpness",
    "seed": 300,
    "seeds": 3,
    "reader": "automatic",
    "negative_prompt": "",
    "steps": 4,
    "cfg": 1.0,
    "solver": "euler",
    "shift": 3.0,
    "strength": 1.0,
}


def compared(**settings):
    """Both columns and the sheet are saved."""
    sources = {name: [name, 0] for name in ("model", "clip", "vae", "latent")}
    return {
        **loaders(),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "compare": node("ZImageCompareModels", **sources, **{**SETTINGS, **settings}),
        **{name: save(slot, name) for slot, name in enumerate(("sheet", "A", "B"))},
    }


def save(slot, name):
    return node("SaveImage", images=["compare", slot], filename_prefix=name)


def pixels(outcome, name):
    return [np.asarray(Image.open(file)) for file in outcome.files if file.name.startswith(f"{name}_")]


def facts(outcome):
    """What a saved picture tells of the comparison."""
    [file] = [file for file in outcome.files if file.name.startswith("sheet_")]
    *_, told = json.loads(Image.open(file).text["zimage"])
    return told


def test_both_columns_are_the_pictures_of_graphs_by_hand_and_the_verdict_is_that_of_their_numbers(run):
    shown = []
    outcome = run(compared(), lambda kind, data: shown.append(data) if kind == "executed" else None)
    assert outcome.error is None, outcome.error
    columns = pixels(outcome, "A"), pixels(outcome, "B")
    for column, steps in zip(columns, (4, 1), strict=True):
        for picture, (prompt, seed) in zip(column, [(p, s) for p in PROMPTS for s in (300, 301, 302)], strict=True):
            if seed == 301:  # the graphs by hand of one seed are enough
                [alone] = run(text_to_image(prompt, seed=seed, steps=steps)).files
                assert np.array_equal(picture, np.asarray(Image.open(alone)))
    values = [[sharpness(picture.astype(np.float64)) for picture in column] for column in columns]
    told = facts(outcome)
    assert np.allclose(told["values"], values)
    gaps = np.subtract(values[1], values[0])
    assert told["difference"] == pytest.approx(gaps.mean()) and told["p"] == pytest.approx(sign_flips(gaps))
    assert told["node"] == "compare" and told["columns"] == ["A", "B: steps = 1"]
    texts = [data["output"]["text"][0] for data in shown if data["output"] and "text" in data["output"]]
    assert texts[0].startswith("picture 1 of 12: A; a small yellow star on the left, seed 300")
    verdict, what, *_ = texts[-1].splitlines()
    assert verdict.startswith("Verdict by sharpness (8-bit levels): ") and what.endswith("the same with steps = 1.")
    assert sum(".ZImageTextEncode-" in name for name in outcome.executed) == 2


@pytest.mark.skipif(chinese_font() is None, reason="no font with Chinese letters here")
def test_on_a_chinese_page_only_the_words_of_the_sheet_are_chinese(server, run):
    english = run(compared(seeds=1, seed=330))
    server.post("/settings", {"Comfy.Locale": "zh"})
    chinese = run(compared(seeds=1, seed=330, reader="tesseract"))  # who reads no sharpness: only the sheet is new
    server.post("/settings", {"Comfy.Locale": "en"})
    assert chinese.error is None, chinese.error
    assert not any(".ZImageTurboSampler-" in each for each in chinese.executed)
    one, other = (pixels(each, "sheet")[0] for each in (english, chinese))
    assert one.shape != other.shape or (one != other).any()
    assert all(map(np.array_equal, pixels(english, "B"), pixels(chinese, "B")))


def test_a_setting_that_changes_nothing_draws_nothing_twice_and_differs_in_no_bit(run):
    outcome = run(compared(settings_b="CFG = 1; shift: 3", seeds=1))
    assert outcome.error is None, outcome.error
    assert sum(".ZImageTurboSampler-" in name for name in outcome.executed) <= 2
    assert all(map(np.array_equal, pixels(outcome, "A"), pixels(outcome, "B")))
    assert facts(outcome)["difference"] == 0 and facts(outcome)["p"] == 1
    told = []
    again = run(compared(settings_b="CFG = 1; shift: 3", seeds=1), lambda kind, data: told.append((kind, data)))
    assert not again.executed
    outer = [data["output"] for kind, data in told if kind == "executed" and data["node"] == "compare"]
    [later] = outer[-1]["zimage_later"]
    assert later["text"][0].startswith("Verdict by sharpness") and later["images"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings_b": ""}, "A and B are the same"),
        ({"settings_b": "stepps = 4"}, "'stepps = 4' is no setting"),
        ({"settings_b": "seed = 3"}, "'seed = 3' would hold for one column, but both share prompts and seeds"),
        ({"settings_b": "steps = many"}, "settings of B, steps: 'many' is not a whole number"),
        ({"settings_b": "steps = 2-4"}, "is not one value"),
        ({"settings_b": "LoRA strength = 0.5"}, "a LoRA strength without a LoRA"),
        ({"prompts": " \n"}, "No prompt is written"),
        ({"seeds": 64, "prompts": "a star\na heart\na ring"}, "384 pictures"),
        ({"score": "word accuracy"}, "no text was asked for"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_drawn(run, changes, words):
    outcome = run(compared(**changes))
    assert words in outcome.error["exception_message"]
    assert "model" not in outcome.executed


def test_the_second_model_draws_column_b_and_stopping_keeps_what_was_drawn(server, run):
    graph = compared(settings_b="", seeds=2, seed=320)
    off = {"threshold": 0.0, "start_percent": 0.0, "end_percent": 1.0, "max_skips": 1}
    graph |= {"other": node("ZImageStepCache", model=["model", 0], **off)}
    graph["compare"]["inputs"]["model_b"] = ["other", 0]
    begun = []

    def interrupt_in_the_third(kind, data):
        if kind == "executing" and ".ZImageTurboSampler-" in str(data["node"]):
            begun.append(data["node"])
            if len(begun) == 3:
                server.post("/interrupt", {})

    assert run(graph, interrupt_in_the_third).is_interrupted
    resumed = run(graph)
    assert resumed.error is None, resumed.error
    assert sum(".ZImageTurboSampler-" in name for name in resumed.executed) <= 6
    assert all(map(np.array_equal, pixels(resumed, "A"), pixels(resumed, "B")))  # a cache at 0 is none
    assert facts(resumed)["columns"][1] == "B: model B"
