"""Z-Image Score on the real server: pictures pass unchanged, the number is the scorer's, the saved file tells it."""

import json
import math
import shutil

import numpy as np
import pytest
from loopback import loopback, send
from PIL import Image, ImageDraw, ImageFont

from prompt_graphs import node, text_to_image
from zimage_core.scoring.score import Request
from zimage_core.scoring.statistics import STATISTICS

PROMPT = "a large red heart in the middle on white"
ASKED = {"prompt": "", "texts": "", "reader": "automatic"}


def scored(graph, score, source=("decode", 0), **asked):
    """A graph with a score before its Save Image, and nodes that tell its outputs."""
    return {
        **graph,
        "score": node("ZImageScore", images=list(source), score=score, **{**ASKED, **asked}),
        "save": node("SaveImage", images=["score", 3], filename_prefix="scored"),
        "told": node("PreviewAny", source=["score", 1]),
    }


@pytest.fixture
def parts_of(run):
    """Run a graph; its outcome and the score's parts."""

    def of(graph):
        told = []
        outcome = run(graph, lambda kind, data: told.append(data) if kind == "executed" else None)
        texts = [each["output"]["text"][0] for each in told if each["node"] == "told"]
        return outcome, json.loads(texts[0]) if texts else None

    return of


def test_a_nano_picture_is_scored_by_its_samplers_prompt_and_saved_unchanged_with_the_score(run, parts_of):
    plain = Image.open(run(text_to_image(PROMPT, steps=8)).files[0])
    outcome, parts = parts_of(scored(text_to_image(PROMPT, steps=8), "nano's scene"))
    assert outcome.error is None, outcome.error
    saved = Image.open(outcome.files[0])
    assert saved.tobytes() == plain.tobytes()
    [picture] = parts["pictures"]
    assert len(picture["parts"]) == 6 and parts["value"] == picture["value"] == sum(picture["parts"].values()) / 6
    sampler, score = json.loads(saved.text["zimage"])
    assert sampler["sampler"] == "sampler"
    assert score == {key: parts[key] for key in ("score", "reader", "value", "values")} | {"node": "score"}
    again = scored(text_to_image(PROMPT, steps=8), "nano's scene")
    again["save"]["inputs"]["filename_prefix"] = "again"
    cached = run(again)
    assert "score" not in cached.executed
    assert json.loads(Image.open(cached.files[-1]).text["zimage"]) == [sampler, score]


def test_a_statistic_is_that_of_the_saved_file_and_needs_no_prompt(server, parts_of):
    levels = np.random.default_rng(1).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(levels).save(server.base / "input" / "noise.png")
    loaded = {"load": node("LoadImage", image="noise.png")}
    for name in ("sharpness", "banding"):
        _, parts = parts_of(scored(loaded, name, ("load", 0)))
        [expected] = STATISTICS[name]([Image.fromarray(levels)], [Request()])
        assert parts["value"] == pytest.approx(expected.value)
        assert parts["higher_is_better"] == (name == "sharpness")


needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="no tesseract here")


@pytest.mark.parametrize("reader", ["PP-OCRv6", pytest.param("tesseract", marks=needs_tesseract)])
def test_lettering_is_read_and_what_was_not_asked_for_is_a_sentence(server, parts_of, reader):
    sign = Image.new("RGB", (512, 160), "white")
    font = ImageFont.load_default(72)
    ImageDraw.Draw(sign).text((256, 80), "FRESH BREAD", fill="black", font=font, anchor="mm")
    sign.save(server.base / "input" / "sign.png")
    loaded = {"load": node("LoadImage", image="sign.png")}
    asked = {"prompt": 'a sign "Fresh Bread" on a wall', "reader": reader}
    outcome, parts = parts_of(scored(loaded, "word accuracy", ("load", 0), **asked))
    assert outcome.error is None, outcome.error
    assert parts["value"] == 1 and parts["pictures"][0]["seen"].upper().split() == ["FRESH", "BREAD"]
    _, half = parts_of(scored(loaded, "word accuracy", ("load", 0), reader=reader, texts="fresh fish"))
    assert half["value"] == 0.5
    outcome, _ = parts_of(scored(loaded, "word accuracy", ("load", 0), prompt="a wall", reader=reader))
    assert "no text was asked for" in outcome.error["exception_message"]


def test_a_judge_at_the_address_in_the_settings_grades_and_without_one_the_node_says_so(server, parts_of):
    Image.new("RGB", (40, 40), "teal").save(server.base / "input" / "teal.png")
    loaded = {"load": node("LoadImage", image="teal.png")}
    outcome, _ = parts_of(scored(loaded, "aesthetics (judge)", ("load", 0)))
    assert "No language server is set" in outcome.error["exception_message"]
    with loopback() as judge:
        judge.answers += [json.dumps({"justification": "flat", "score": 3})]
        server.post("/settings", {"ZImage.ServerAddress": judge.address, "ZImage.ServerModel": "judge-8b"})
        outcome, parts = parts_of(scored(loaded, "alignment (judge)", ("load", 0), prompt="teal"))
        server.post("/settings", {"ZImage.ServerAddress": ""})
    assert outcome.error is None, outcome.error
    assert (parts["value"], parts["reader"], parts["pictures"][0]["seen"]) == (3, "judge-8b", "flat")
    assert "teal" in json.dumps(judge.bodies[0]["messages"])


def test_the_vision_model_of_the_settings_answers_questions_with_parents_and_reads_lettering(server, parts_of):
    Image.new("RGB", (40, 40), "navy").save(server.base / "input" / "navy.png")
    loaded = {"load": node("LoadImage", image="navy.png")}
    questions = "Is there a fox?\n  Is it red?\nIs it dark?\nIs there snow? = no"
    with loopback() as judge:
        judge.answers += ["No.", "Yes.", "yes", "No", "OPEN until nine", "fresh bread"]
        server.post("/settings", {"ZImage.ServerAddress": judge.address, "ZImage.ServerModel": "eye-8b"})
        outcome, asked = parts_of(scored(loaded, "questions (judge)", ("load", 0), questions=questions))
        assert outcome.error is None, outcome.error
        _, read = parts_of(scored(loaded, "word accuracy", ("load", 0), reader="vision model", texts="fresh bread"))
        server.post("/settings", {"ZImage.ServerAddress": ""})
    assert asked["value"] == 0.5 and asked["pictures"][0]["seen"] == "Is there a fox? no\nIs it red? yes"
    assert (read["value"], read["reader"]) == (1, "eye-8b")
    with loopback() as judge:
        judge.answers += [likely(yes=0.9, no=0.1), likely(one=0.5, two=0.4)]
        server.post("/settings", {"ZImage.ServerAddress": judge.address, "ZImage.ServerModel": "eye-8b"})
        questions = "Is it dark?\nHow many foxes are there? = two"
        outcome, asked = parts_of(scored(loaded, "Soft-TIFA (judge)", ("load", 0), questions=questions))
        server.post("/settings", {"ZImage.ServerAddress": ""})
    assert outcome.error is None, outcome.error
    assert asked["value"] == pytest.approx(0.6) and asked["pictures"][0]["parts"]["AM"] == pytest.approx(0.65)
    assert asked["pictures"][0]["seen"] == "How many foxes are there? two is 40% likely"
    outcome, _ = parts_of(scored(loaded, "Soft-TIFA (judge)", ("load", 0)))
    assert "No question is written" in outcome.error["exception_message"]


def likely(**probabilities):
    """An answer of one word with the probabilities of its alternatives."""
    top = [{"token": word, "logprob": math.log(each)} for word, each in probabilities.items()]
    choice = {"message": {"content": top[0]["token"]}, "logprobs": {"content": [{"top_logprobs": top}]}}
    return lambda request: send(request, json.dumps({"choices": [choice]}).encode())


def test_boxes_without_names_are_a_sentence_and_no_zero(server, parts_of):
    Image.new("RGB", (40, 40), "navy").save(server.base / "input" / "navy.png")
    box = node("PrimitiveBoundingBox", x=4, y=4, width=9, height=9)
    graph = {"load": node("LoadImage", image="navy.png"), "box": box}
    asked = {"prompt": "a dog", "boxes": ["box", 0]}
    outcome, _ = parts_of(scored(graph, "objects (boxes)", ("load", 0), **asked))
    assert outcome.error["node_id"] == "score" and "do not tell what is in them" in outcome.error["exception_message"]


def test_likeness_by_the_connected_vision_model_is_1_for_the_same_picture(server, parts_of):
    for name in ("teal", "red"):
        Image.linear_gradient("L").convert("RGB").save(server.base / "input" / f"{name}.png")
    Image.effect_mandelbrot((256, 256), (-2, -1.5, 1, 1.5), 60).save(server.base / "input" / "other.png")
    names = {each: node("LoadImage", image=f"{each}.png") for each in ("teal", "red", "other")}
    graph = {**names, "vision": node("ZImageVisionLoader", vision_name="nano (built in)")}
    values = []
    for each in ("red", "other"):
        made = scored(graph, "likeness", (each, 0), clip_vision=["vision", 0], reference=["teal", 0])
        outcome, parts = parts_of(made)
        assert outcome.error is None, outcome.error
        values.append(parts["value"])
    assert values[0] == pytest.approx(1, abs=1e-5) and values[1] < 0.999
