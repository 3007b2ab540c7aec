"""Judges by address, against a server on loopback that speaks the protocol and misbehaves."""

import base64
import io
import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image, ImageChops

from zimage_core.chat_server import ChatServer, ChatServerError
from zimage_core.scoring.judging import AESTHETICS, GradeScore, SoftTifaScore, VisionModel, YesNoScore
from zimage_core.scoring.lettering import RULES, LetteringScore, ReaderError
from zimage_core.scoring.score import Request, Score

PICTURE = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 60).convert("RGB")


class Judge:
    """A server whose answers a test gives by question; it remembers what it was sent."""

    def __init__(self) -> None:
        self.bodies, self.headers, self.waits, self.script = [], [], [], []
        self.answers = {}

    def chat(self, **settings) -> ChatServer:
        return ChatServer(address=self.address, model="judge-8b", wait=self.waits.append, **settings)

    def model(self) -> VisionModel:
        return VisionModel(self.chat())

    def reply(self, body: dict) -> dict:
        question = body["messages"][0]["content"][1]["text"]
        answer = next((answer for start, answer in self.answers.items() if question.startswith(start)), "I cannot say.")
        if isinstance(answer, str):
            return {"choices": [{"message": {"content": answer}}]}
        top = [{"token": token, "logprob": math.log(p)} for token, p in answer.items()]
        logs = {"content": [{"token": top[0]["token"], "logprob": top[0]["logprob"], "top_logprobs": top}]}
        return {"choices": [{"message": {"content": top[0]["token"]}, "logprobs": logs}]}


@pytest.fixture
def judge():
    judge = Judge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            judge.bodies.append(body)
            judge.headers.append({**self.headers, "path": self.path})
            step = judge.script.pop(0) if judge.script else (200, None, {})
            if step == "drop":
                self.connection.close()
                return
            if step == "sleep":
                time.sleep(0.5)
                step = (200, None, {})
            status, raw, headers = step
            raw = json.dumps(judge.reply(body)).encode() if raw is None else raw
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    judge.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield judge
    server.shutdown()
    server.server_close()
    thread.join()


def asked(questions: dict, **rules) -> Request:
    return Request(prompt="a house", rules={"questions": questions, **rules})


def test_the_picture_arrives_bit_for_bit_and_the_key_in_its_header_only(judge, monkeypatch):
    monkeypatch.setenv("ZIMAGE_CHAT_KEY", "sk-secret")
    judge.answers = {"what": "a fractal"}
    assert judge.model().ask(PICTURE, "what is it?").text == "a fractal"
    (body,), (headers,) = judge.bodies, judge.headers
    url = body["messages"][0]["content"][0]["image_url"]["url"]
    sent = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    assert ImageChops.difference(sent, PICTURE).getbbox() is None
    assert (headers["path"], headers["Authorization"]) == ("/v1/chat/completions", "Bearer sk-secret")
    assert (body["model"], body["temperature"]) == ("judge-8b", 0) and "sk-secret" not in json.dumps(body)
    judge.script = [(401, b'{"error": "wrong key sk-secret"}', {})]
    with pytest.raises(ChatServerError, match=r"answered 401: .*wrong key \*\*\*") as refused:
        judge.model().ask(PICTURE, "what?")
    assert "sk-secret" not in repr(refused.value) and not judge.waits


def test_a_busy_server_is_asked_again_and_a_dead_one_is_one_sentence(judge):
    judge.answers = {"what": "ok"}
    judge.script = [(429, b"slow down", {"Retry-After": "7"}), (500, b"", {}), "drop"]
    assert judge.model().ask(PICTURE, "what").text == "ok"
    assert judge.waits == [7, 2, 4]
    judge.script = [(503, b"loading", {"Retry-After": "9999"})] * 4
    with pytest.raises(ChatServerError, match="judge-8b at http://127.0.0.1.* answered 503: loading"):
        judge.model().ask(PICTURE, "what")
    assert judge.waits[3:] == [30, 30, 30]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("sleep", "did not answer"),
        ((302, b"", {"Location": "http://127.0.0.1:9/"}), "answered 302"),  # not followed
        ((200, b"<html>", {}), "something else than a chat completion"),
        ((200, b'{"choices": []}', {}), "something else than a chat completion"),
        ((200, b'{"choices": [{"message": {"content": null}}]}', {}), "something else than a chat completion"),
    ],
)
def test_what_is_no_answer_is_an_error(judge, step, said):
    judge.script = [step]
    with pytest.raises(ChatServerError, match=said):
        VisionModel(judge.chat(seconds=0.2, attempts=1)).ask(PICTURE, "what")


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8080",
        "ftp://host/v1",
        "http://",
        "http://me:pw@host/v1",
        "http://h/?a=1",
        "http://h:99999",
        "http://[::1",
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(ChatServerError, match="is no address of a chat server"):
        ChatServer(address=address)


def test_questions_with_parents_and_without_an_answer(judge):
    judge.answers = {"a house?": "Yes.", "a door?": "No", "red door?": "Yes, it is.", "a cat?": "no"}
    score = YesNoScore(judge.model())
    assert isinstance(score, Score) and score.reader == "judge-8b"
    questions = {1: "a house?", 2: "a door?", 3: "red door?", 4: "a tree?", 5: "a cat?"}
    rules = asked(questions, parents={1: (0,), 2: (1,), 3: (2,), 4: (1,), 5: (0,)}, answers={5: "No"})
    (measurement,) = score([PICTURE], [rules])
    assert measurement.parts == {"right": 2, "answered": 4, "questions": 5}  # the tree is left out, not wrong
    assert measurement.value == pytest.approx(2 / 4)
    assert measurement.notes == "a door? no\nred door? yes\nnot answered: a tree?"
    prose, none = score([PICTURE] * 2, [asked({1: "a tree?"}), Request(prompt="a house")])
    assert prose.value is None and "neither yes nor no to any of 1 questions" in prose.problem
    assert none.value is None and "no questions" in none.problem


def test_soft_tifa_is_the_mean_of_the_right_tokens_probability(judge):
    judge.answers = {
        "is it": {"Yes": 0.5, " yes": 0.25, "No": 0.2},
        "how many": {"3": 0.1, " Three": 0.3, "Two": 0.5},
        "silent": "Yes",
    }
    score = SoftTifaScore(judge.model())
    good, dumb = score(
        [PICTURE] * 2, [asked({1: "is it?", 2: "how many?"}, answers={1: "Yes", 2: "three"}), asked({1: "silent?"})]
    )
    assert good.parts["AM"] == pytest.approx((0.75 + 0.4) / 2)
    assert good.value == pytest.approx(math.sqrt(0.75 * 0.4)) and good.notes == "how many? three is 40% likely"
    assert dumb.value is None and "tells no log-probabilities" in dumb.problem
    assert judge.bodies[0]["logprobs"] is True and judge.bodies[0]["max_tokens"] == 1


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        ('{"justification": "fine", "score": 7.5}', 7.5),
        ('Here:\n```json\n{"score": "8", "justification": "good"}\n```', 8),
        ("I would say 7 of 10", None),
        ('{"score": 11}', None),
        ('{"score": "high"}', None),
        ("[1]", None),
    ],
)
def test_grades(judge, said, grade):
    judge.answers = {"How good": said, "This picture": said}
    for score in (GradeScore(judge.model()), GradeScore(judge.model(), AESTHETICS, "aesthetics")):
        (measurement,) = score([PICTURE], [Request(prompt="a house")])
        assert measurement.value == grade
        assert measurement.problem == "" if grade else "gave no score from 0 to 10 but said" in measurement.problem
    assert "The prompt: a house" in judge.bodies[0]["messages"][0]["content"][1]["text"]


def test_a_vision_model_reads_lettering_once_it_is_believed(judge):
    score = LetteringScore(judge.model(), RULES["LongText-Bench"])
    judge.answers = {"Recognize": "No text recognized."}
    with pytest.raises(ReaderError, match="judge-8b is not believed"):
        score([PICTURE], [Request(lettering=("Hello",))])
    assert judge.model().read(PICTURE, "en") == []
    judge.answers = {"Recognize": "OPEN until\nnine"}
    (measurement,) = score([PICTURE], [Request(lettering=("open late",))])
    assert (measurement.value, measurement.notes) == (0.5, "OPEN until\nnine")
    judge.script = [(400, b"too large", {})]
    (measurement,) = score([PICTURE], [Request(lettering=("open late",))])
    assert measurement.value is None and "answered 400: too large" in measurement.problem
