"""Z-Image Evaluate on the real server: the sampler's pictures, the command's numbers, and it goes on where it was."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prompt_graphs import loaders, node, text_to_image
from suite_files import coloured, save_pictures, write_cvtg
from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.report_files import read_report
from zimage_core.evaluation.suites import SUITES
from zimage_core.nano.judging.scene_score import SceneScore
from zimage_core.nano.judging.suite import NANO
from zimage_core.scoring.score import Request

SETTINGS = {
    "suite": "nano",
    "limit": 2,
    "prompts_folder": "",
    "pictures_folder": "",
    "steps": 4,
    "cfg": 1.0,
    "seed": 0,
    "solver": "euler",
    "shift": 3.0,
    "corrected": False,
    "reader": "automatic",
    "detector": "none",
    "clip_model": "none",
    "model_folder": "zimage",
    "filename_prefix": "evaluation",
}
LATENT = {"latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1)}


def evaluation(**settings):
    """nano and an evaluation of it, whose sheet is saved and whose folder is told."""
    sockets = {name: [name, 0] for name in ("model", "clip", "vae", "latent")}
    return {
        **loaders(),
        **LATENT,
        "evaluate": node("ZImageEvaluate", **sockets, **{**SETTINGS, **settings}),
        "save": node("SaveImage", images=["evaluate", 2], filename_prefix="worst"),
    }


def without_model(**settings):
    """An evaluation of a folder of pictures; nothing is connected."""
    return {"evaluate": node("ZImageEvaluate", **{**SETTINGS, **settings})}


@pytest.fixture
def report_of(run):
    """Run a graph; its outcome, the lines on the node, the folder."""

    def of(graph):
        told = []
        outcome = run(graph, lambda kind, data: told.append(data) if kind == "executed" else None)
        texts = [each["output"]["text"][0] for each in told if each["node"] == "evaluate"]
        return outcome, texts[0].splitlines() if texts else []

    return of


@pytest.fixture
def folder_of(report_of):
    """Run a graph that must succeed; the folder that the node names."""

    def of(graph):
        outcome, lines = report_of(graph)
        assert outcome.error is None, outcome.error
        return Path(lines[-1])

    return of


def test_pictures_are_the_samplers_and_the_number_the_checkers(run, folder_of):
    folder = folder_of(evaluation())
    report = read_report(folder / "report.json")
    assert len(report.results) == 2 and (folder / "report.html").exists() and (folder / "report.csv").exists()
    values = []
    for result in report.results:
        [shown] = result.pictures
        drawn = Image.open(folder / "pictures" / shown.file)
        alone = Image.open(run(text_to_image(result.prompt, seed=shown.seed)).files[0])
        assert np.array_equal(np.asarray(drawn), np.asarray(alone.convert("RGB")))
        rules = next(case.request.rules for case in NANO.read(folder, Reading()) if case.id == result.case)
        values += [each.value for each in SceneScore()([drawn], [Request(rules=rules)])]
    assert report.figures[0].value == pytest.approx(sum(values) / 2, abs=1e-6)


def test_more_prompts_go_on_with_what_is_drawn_and_another_setting_begins_beside(folder_of):
    folder = folder_of(evaluation(steps=3))
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.png")}
    assert len(before) == 2
    again = folder_of(evaluation(steps=3, limit=4))
    assert again == folder and len(list(folder.rglob("*.png"))) == 4
    assert {file: file.stat().st_mtime_ns for file in before} == before
    lines = (folder / "measurements/1-of-1.jsonl").read_text().splitlines()
    assert len(lines) == 4  # none was measured twice
    assert folder_of(evaluation(steps=2)) != folder


def test_an_interrupted_evaluation_keeps_what_it_drew_and_ends_the_same(server, run, folder_of):
    wanted = (folder_of(evaluation(limit=5)) / "report.json").read_text()
    graph, previews = evaluation(limit=5, filename_prefix="interrupted"), []

    def interrupt(kind, data):
        previews.append(kind == "preview")
        if sum(previews) == 10:  # of the third picture's steps
            server.post("/interrupt", {})

    outcome = run(graph, interrupt)
    [folder] = (server.base / "output/interrupted").iterdir()
    assert outcome.is_interrupted and 0 < len(list(folder.rglob("*.png"))) < 5
    assert folder_of(graph) == folder and (folder / "report.json").read_text() == wanted


def test_pictures_of_a_folder_are_measured_without_a_model_and_the_saved_sheet_tells_the_number(server, report_of):
    inputs = server.base / "input"
    cases = SUITES["cvtg-2k"].read(write_cvtg(inputs / "cvtg"), Reading())
    for case in cases[:3]:
        save_pictures(inputs / "signs", case, [coloured(seed) for seed in case.seeds])
    given = {"suite": "cvtg-2k", "limit": 0, "prompts_folder": "cvtg", "pictures_folder": "signs"}
    graph = without_model(**given)
    graph["save"] = node("SaveImage", images=["evaluate", 2], filename_prefix="signs")
    outcome, lines = report_of(graph)
    for name in ("cvtg", "signs"):  # nodes of other tests would list them
        shutil.rmtree(inputs / name)
    assert outcome.error is None, outcome.error
    assert "3 pictures, 5 not read" in lines[1]
    assert any("0 of 1 pictures are there (5 times)" in each for each in lines)
    [saved] = [file for file in outcome.files if file.name.startswith("signs")]
    [entry] = json.loads(Image.open(saved).text["zimage"])
    assert (entry["node"], entry["suite"], entry["prompts"], entry["value"]) == ("evaluate", "cvtg-2k", 8, 0.0)


WRONG = [
    ({}, "Nothing draws the pictures: connect model, clip, vae, latent"),
    ({"suite": "dpg"}, "has its prompts in its authors' files"),
    ({"suite": "dpg", "prompts_folder": "../.."}, "There is no folder '../..' in ComfyUI's input folder"),
    ({"pictures_folder": "nowhere"}, "There is no folder 'nowhere' in ComfyUI's input folder"),
    ({"pictures_folder": "."}, ". has no picture of this suite: the first would be "),
]


@pytest.mark.parametrize("settings, told", WRONG, ids=[each[1][:30] for each in WRONG])
def test_what_is_missing_is_one_sentence_on_the_node(run, settings, told):
    outcome = run(without_model(**settings))
    assert outcome.error["node_id"] == "evaluate" and told in outcome.error["exception_message"]
