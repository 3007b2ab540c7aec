"""`evaluate` and `compare` as a script sees them, and the pages they write."""

import json
import math
import re
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from suite_files import coloured, save_pictures, write_cvtg, write_dpg, write_json, write_longtext, write_prism
from zimage_core import generate
from zimage_core.cli import main
from zimage_core.commands.evaluate import SUITE_NAMES
from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.suites import SUITES
from zimage_core.nano.judging.suites import EVERY_SUITE

FEW = ("--model", "nano", "--limit", "2", "--steps", "2", "--device", "cpu")


def run(capsys, *arguments):
    """Exit status, stdout and stderr."""
    try:
        status = main([str(each) for each in arguments])
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


class Page(HTMLParser):
    """Everything a page would fetch, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.texts, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_command_knows_every_suite():
    assert set(SUITE_NAMES) == set(EVERY_SUITE)


@pytest.mark.slow
def test_nano_is_evaluated_from_end_to_end_and_in_parts_that_join_to_the_same_report(capsys, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    status, told, progress = run(capsys, "evaluate", "nano", *FEW, "--out", whole, "--json")
    assert status == 0 and "2/2" in progress
    assert json.loads(told)["figures"][0]["pictures"] == 2
    for index in (2, 1):
        status, told, _ = run(capsys, "evaluate", "nano", *FEW, "--out", parts, "--shard", f"{index}/2")
        assert (status, told) == (0, f"part {index} of 2 is measured; without --shard its parts are joined\n")
    assert not (parts / "report.json").exists()
    assert run(capsys, "evaluate", "nano", *FEW, "--out", parts)[0] == 0
    for name in ("report.json", "report.csv", "report.html"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    drawn = json.loads((whole / "report.json").read_text("utf-8"))["results"][0]
    expected = generate(drawn["prompt"], steps=2, seed=drawn["pictures"][0]["seed"])[0]
    with Image.open(whole / "pictures" / drawn["pictures"][0]["file"]) as picture:
        assert picture.tobytes() == expected.tobytes()
    status, told, _ = run(capsys, "compare", whole, parts, "--out", tmp_path / "compared")
    assert status == 0 and "p = 1 " in told and "no real difference" in told
    assert run(capsys, "evaluate", "nano", *FEW, "--out", whole, "--seed", 5)[2].endswith("choose another --out\n")


def sign(words) -> Image.Image:
    """A picture on which words can be read."""
    picture = Image.new("RGB", (320, 60 * len(words) + 40), "white")
    for index, word in enumerate(words):
        draw = ImageDraw.Draw(picture)
        draw.text((160, 50 + 60 * index), word, font=ImageFont.load_default(32), fill="black", anchor="mm")
    return picture


@pytest.fixture(scope="module")
def read_signs(tmp_path_factory):
    """CVTG-2K with one prompt a file; half of the pictures are there, one is none, and one lacks a word."""
    pytest.importorskip("rapidocr")
    folder = tmp_path_factory.mktemp("signs")
    write_cvtg(folder / "prompts")
    words = ["Morning", "Coffee", "Market", "Special", "Travel"]
    for name in ("CVTG", "CVTG-Style"):
        for n in (2, 3, 4, 5):
            sentences = [f"a sign '{word}'." for word in words[:n]]
            record = {"index": 0, "prompt": "<b>" + " ".join(sentences), "carrier_list": [], "sentence_list": sentences}
            write_json(folder / f"prompts/{name}/{n}.json", {"data_list": [record]})
            file = folder / f"images/CVTG/{n}/0.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            sign(words[: n - (n == 5)]).save(file)
    (folder / "images/CVTG/2/0.png").write_bytes(b"no picture")
    arguments = ("evaluate", "cvtg-2k", "--prompts", folder / "prompts", "--images", folder / "images")
    assert main([str(each) for each in (*arguments, "--out", folder / "out")]) == 0
    return folder / "out"


@pytest.mark.slow
def test_words_of_pictures_are_counted_as_the_authors_count_and_published_rows_stand_beside(read_signs):
    """12 words on three readable pictures, of which one word was left out."""
    report = json.loads((read_signs / "report.json").read_text("utf-8"))
    accuracy = report["figures"][0]
    assert accuracy["score"].startswith("CVTG-2K word accuracy (PP-OCRv6")
    assert accuracy["value"] == pytest.approx(11 / 12, abs=1e-6)
    assert (accuracy["pictures"], accuracy["unread"]) == (3, 5)
    assert [figure["group"] for figure in report["figures"][:5]] == ["", *(f"{n} regions" for n in (2, 3, 4, 5))]
    assert report["problems"][0].startswith("CVTG/2/0: CVTG/2/0.png cannot be read as a picture")
    assert {"Z-Image", "Z-Image-Turbo"} == {row["model"] for row in report["published"]}


@pytest.mark.slow
def test_the_page_needs_nothing_else_shows_the_worst_first_and_escapes_prompts(read_signs):
    text = (read_signs / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.addresses and all(each.startswith("data:image/jpeg;base64,") for each in page.addresses)
    assert "&lt;b&gt;a sign" in text and not re.search(r"<b>a sign", text)
    assert "script" not in page.tags and "svg" in page.tags
    heads = [each.strip() for each in page.texts if re.fullmatch(r"CVTG(-Style)?/\d/0", each.strip())]
    assert heads[0] == "CVTG/5/0" and len(heads) == 3
    assert any("Z-Image 0.8671 (PaddleOCR 2.10); Z-Image-Turbo 0.8585 (PaddleOCR 2.10)" in each for each in page.texts)


@pytest.fixture
def judge():
    """The address of a vision model on this machine, to which no tree is ever there and every picture is worth a 7."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"][1][
                "text"
            ]
            grade = json.dumps({"justification": "dull", "score": 7})
            said = grade if "JSON" in asked else "No." if "tree" in asked else "Yes"
            body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def judged(capsys, folder, name, write, address):
    """The figures of a suite whose pictures are all there."""
    cases = SUITES[name].read(write(folder / "prompts"), Reading())
    for case in cases:
        save_pictures(folder / "images", case, [coloured(seed) for seed in case.seeds])
    given = ("--prompts", folder / "prompts", "--images", folder / "images", "--judge", address, "--judge-model", "toy")
    status, told, _ = run(capsys, "evaluate", name, *given, "--out", folder / "out", "--json")
    assert status == 0
    return json.loads(told)["figures"]


def test_a_judge_at_an_address_answers_the_questions_of_a_suite(capsys, tmp_path, judge):
    """DPG: one prompt is all right; of the other's three questions one is wrong and so is its child."""
    (figure,) = judged(capsys, tmp_path, "dpg", write_dpg, judge)
    assert (figure["score"], figure["pictures"], figure["unread"]) == ("questions (toy)", 8, 0)
    assert figure["value"] == pytest.approx((1 + 1 / 3) / 2, abs=1e-6)


def test_a_judge_at_an_address_grades_pictures(capsys, tmp_path, judge):
    figures = judged(capsys, tmp_path, "prism", write_prism, judge)
    assert {figure["score"] for figure in figures} == {"alignment (toy)", "aesthetics (toy)"}
    assert {figure["value"] for figure in figures} == {7}


WRONG = [
    (("cvtg-2k", "--images", "{}"), "CVTG-2K (arXiv 2503.23461) needs --prompts"),
    (("cvtg-2k", "--images", "{}", "--prompts", "nothing"), "there is no folder nothing: --prompts"),
    (("cvtg-2k", "--images", "{}", "--prompts", "{}"), "has no CVTG/2.json"),
    (("longtext", "--images", "nothing", "--prompts", "{}"), "there is no folder nothing: --images"),
    (("longtext", "--images", "{}", "--prompts", "{}"), "has no picture of this suite: the first would be 0000_1.png"),
    (("nano", "--model", "nothing"), "there is no model folder nothing"),
    (("nano", "--model", "nano", "--shard", "9/8"), "'9/8' is no part such as 2/8"),
    (("nano", "--model", "nano", "--name", "../x"), "'../x' cannot name a folder"),
    (("prism", "--images", "{}/captions", "--prompts", "{}"), "needs --judge: the address of a vision model"),
    (("nano", "--model", " "), "argument --model: it is empty: write nano, or the folder of a model"),
    (("nano", "--images", ""), "argument --images: it is empty: give a file or a folder, or . for this one"),
    (("nano",), "one of the arguments --images --model is required"),
    (("imagenet", "--model", "nano"), "invalid choice: 'imagenet'"),
]


@pytest.mark.parametrize("words, told", WRONG, ids=[each[1][:30] for each in WRONG])
def test_what_is_wrong_is_said_in_one_sentence(capsys, tmp_path, words, told):
    write_longtext(tmp_path), write_prism(tmp_path)
    (tmp_path / "captions/affection").mkdir(), coloured(1).save(tmp_path / "captions/affection/0.png")
    out = tmp_path / "out"
    status, printed, sentence = run(capsys, "evaluate", *(each.format(tmp_path) for each in words), "--out", out)
    assert status in (1, 2) and printed == "" and told in sentence and sentence.count("\n") == 1
    assert not out.exists()


def test_an_empty_out_is_refused_and_nothing_is_written_where_one_stands(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for verb in (("evaluate", "nano", *FEW), ("compare", ".", ".")):
        status, _, told = run(capsys, *verb, "--out", "")
        assert status == 2 and "argument --out: it is empty" in told and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


class Failing(BaseHTTPRequestHandler):
    """Reads the sample's words in its first pictures, as many as `answers`, then answers as `fail` says."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        if self.server.asked <= self.server.answers:
            body = json.dumps({"choices": [{"message": {"content": "OPEN until nine"}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.server.status:
            self.send_error(self.server.status)

    def log_message(self, *given):
        pass


@pytest.fixture
def failing(monkeypatch):
    """Makes a judge that fails after some answers: by a status, or, with 0, by no answer at all."""
    monkeypatch.setattr("zimage_core.chat_server.wait_seconds", lambda attempt, wish: 0)
    servers = []

    def make(answers, status):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
        server.asked, server.answers, server.status = 0, answers, status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_judge_that_dies_is_told_and_what_it_read_is_kept(capsys, tmp_path, failing):
    cases = SUITES["cvtg-2k"].read(write_cvtg(tmp_path / "prompts", 2), Reading())
    for case in cases:
        save_pictures(tmp_path / "images", case, [coloured(seed) for seed in case.seeds])
    given = ("cvtg-2k", "--prompts", tmp_path / "prompts", "--images", tmp_path / "images", "--out", tmp_path / "out")
    judge = ("--judge-model", "toy")
    status, _, told = run(capsys, "evaluate", *given, *judge, "--judge", failing(1 + 8, 0))
    sentence = told.splitlines()[-1]
    assert status == 1 and "did not answer" in sentence and "what was measured is kept" in sentence
    (file,) = (tmp_path / "out/measurements").iterdir()
    assert len(file.read_text().splitlines()) == 8 * 2  # the first eight pictures by two rules
    status, told, _ = run(capsys, "evaluate", *given, *judge, "--judge", failing(1 + 8, 0))
    assert status == 0 and "16 pictures" in told


def test_a_judge_that_refuses_every_picture_is_told_after_the_report(capsys, tmp_path, failing):
    for case in SUITES["dpg"].read(write_dpg(tmp_path / "prompts"), Reading()):
        save_pictures(tmp_path / "images", case, [coloured(seed) for seed in case.seeds])
    given = ("--prompts", tmp_path / "prompts", "--images", tmp_path / "images", "--out", tmp_path / "out")
    status, told, sentence = run(capsys, "evaluate", "dpg", *given, "--judge", failing(0, 401))
    assert status == 1 and "no number, 0 pictures, 8 not read" in told and "not read: " in told
    assert re.search(r"no picture could be measured by questions \(127.*\): 127.* answered 401", sentence)
    assert (tmp_path / "out/report.html").exists()


def test_what_is_no_report_is_refused(capsys, tmp_path):
    (tmp_path / "report.json").write_text("{}")
    status, _, told = run(capsys, "compare", tmp_path, tmp_path)
    assert status == 1 and "is no report of an evaluation" in told


def test_pictures_of_folders_are_compared_as_an_encoder_sees_them(capsys, tmp_path, monkeypatch):
    from zimage_core.commands.suite_scores import TypedReaders

    class Reds:
        name = "reds"

        def pictures(self, pictures):
            angles = torch.tensor([picture.getpixel((0, 0))[0] / 255 for picture in pictures])
            return torch.stack([angles.cos(), angles.sin()], 1)

    monkeypatch.setattr(TypedReaders, "encoder", lambda self: Reds())
    for folder, reds in {"one": (0, 0, 90), "other": (200, 210, 220)}.items():
        (tmp_path / folder).mkdir()
        for index, red in enumerate(reds):
            Image.new("RGB", (8, 8), (red, 9, 9)).save(tmp_path / folder / f"{index}.png")
    (tmp_path / "one/broken.png").write_bytes(b"no picture")
    asked = ("alike", tmp_path / "one", tmp_path / "other", "--cache", tmp_path / "seen.jsonl")
    status, told, problems = run(capsys, *asked, "--json")
    found = json.loads(told)
    assert status == 0 and "broken.png cannot be read" in problems and found["copies"] == [["0.png", "1.png", 1.0]]
    assert found["diversity"] == pytest.approx((1 - math.cos(90 / 255)) * 2 / 3, abs=1e-6)
    assert found["other"]["kernel distance"] > 0 and found["other"]["frechet distance"] is not None
    status, told, _ = run(capsys, *asked[:2])
    assert status == 0 and "1 pair of copies" in told and "0.png 1.png" in told
    assert run(capsys, "alike", tmp_path / "none")[0] == 1
    for name in (".hidden.png", "a.tif", "b.gif", "c.bmp", ".thumbnails/d.png"):
        (tmp_path / "kinds" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "kinds" / name)
    assert json.loads(run(capsys, "alike", tmp_path / "kinds", "--json")[1])["pictures"] == 3
    (tmp_path / "kinds/a.tif").unlink()
    (tmp_path / "kinds/b.gif").unlink()
    assert "has 1 picture that can be read" in run(capsys, "alike", tmp_path / "kinds")[2]


def test_folders_of_pictures_to_compare_have_to_be_there(capsys, tmp_path):
    asked = ("compare", tmp_path, tmp_path, "--images", tmp_path, tmp_path / "nowhere", "--out", tmp_path / "x")
    status, told, problem = run(capsys, *asked)
    assert (status, told) == (1, "") and "there is no folder" in problem and "nowhere" in problem
    assert not (tmp_path / "x").exists()
    status, told, problem = run(capsys, *asked[:-2])
    assert (status, told) == (1, "") and "name its folder too" in problem and problem.count("\n") == 1
