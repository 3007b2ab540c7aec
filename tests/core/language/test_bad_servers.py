"""Servers that misbehave: one sentence for each, without the key, in bounded time and memory."""

import json
import threading
import time
from itertools import count

import pytest
from loopback import events, loopback, send

from zimage_core.chat_answer import ChatServerError, whole
from zimage_core.chat_server import ChatServer
from zimage_core.language.back_end import Question, Reply, ask
from zimage_core.language.remote import RemoteBackEnd

KEY = "sk-do-not-tell"
FOX = json.dumps({"choices": [{"message": {"content": "a fox"}}]}).encode()


@pytest.fixture
def served():
    with loopback() as told:
        yield told


def server(served, **settings):
    waits = []
    chat = ChatServer(address=served.address, model="m", key=KEY, wait=waits.append, **settings)
    return RemoteBackEnd(chat), waits


def refuse(status, said=b"", **headers):
    def reply(request):
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(said)
        request.close_connection = True

    return reply


def stall(request):
    time.sleep(0.6)


def hang_up(request):
    request.close_connection = True


def half_an_answer(request):
    request.send_response(200)
    request.send_header("Content-Length", str(len(FOX)))
    request.end_headers()
    request.wfile.write(FOX[:20])
    request.close_connection = True


def half_a_stream(request):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b'data: {"choices": [{"delta": {"content": "a f"}}]}\n\n')
    request.close_connection = True


def fifty_megabytes(piece):
    def reply(request):
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range((50 << 20) // len(piece)):
                request.wfile.write(piece)
        except OSError:  # the reader has gone
            pass
        request.close_connection = True

    return reply


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (stall, r"did not answer \(TimeoutError"),
        (hang_up, "did not answer"),
        (half_an_answer, "stopped in the middle|something else than"),
        (half_a_stream, "stopped in the middle of its answer"),
        (events({"content": "a f"}, is_whole=False), "stopped in the middle of its answer"),
        (refuse(500, b"out of memory " + KEY.encode()), r"answered 500: out of memory \*\*\*"),
        (refuse(429, b"slow down"), "answered 429: slow down"),
        (refuse(302, Location="http://127.0.0.1:9/"), "answered 302"),
        (lambda request: send(request, b"<html>"), "something else than a chat completion"),
        (lambda request: send(request, FOX[:-3]), "something else than a chat completion"),
        (lambda request: send(request, b"[" * 100_000), "something else than a chat completion"),
        (lambda request: send(request, b"data: {broken\n\n"), "something else than a chat completion"),
        (lambda request: send(request, b'data: {"error": {"message": "full"}}\n\n'), "middle of its answer: .*full"),
        (fifty_megabytes(b"a" * 65536), "answered more than 8 MB"),
        (
            fifty_megabytes(b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % (b"a" * 65536)),
            "answered more than 8 MB",
        ),
    ],
    ids=count(),
)
def test_each_fault_is_one_sentence_without_the_key(served, answer, said):
    served.answers.append(answer)
    back_end, _ = server(served, seconds=0.3, attempts=1)
    with pytest.raises(ChatServerError, match=said) as told:
        ask(back_end, Question(prompt="fox"))
    assert KEY not in repr(told.value) and "\n" not in str(told.value) and len(str(told.value)) < 500


def test_a_busy_server_is_asked_again_and_one_that_had_begun_is_not(served):
    served.answers += [refuse(429, Retry_After="7"), refuse(500), hang_up, events({"content": "a fox"})]
    back_end, waits = server(served)
    assert ask(back_end, Question(prompt="fox")) == Reply("", "a fox") and waits == [7, 2, 4]
    served.answers += [half_a_stream]
    with pytest.raises(ChatServerError):
        ask(back_end, Question(prompt="fox"))
    assert len(served.bodies) == 5 and len(waits) == 3


@pytest.mark.parametrize("text", ["a \ud83d fox", "a \ude00 fox"])
def test_half_an_emoji_is_left_out_and_a_whole_one_is_not(served, text):
    assert whole(text) == "a  fox" and whole("\ud83d\ude00") == whole("\U0001f600") == "\U0001f600"
    served.answers += [text, events({"content": text})]
    back_end, _ = server(served)
    assert [ask(back_end, Question(prompt="fox")).answer for _ in range(2)] == ["a  fox"] * 2


@pytest.mark.parametrize("is_stalled", [True, False], ids=["in a stall", "between two words"])
def test_whoever_waits_can_stop_at_once_and_the_connection_is_closed(served, is_stalled):
    has_gone, begun = threading.Event(), time.monotonic()

    def write_on(request):
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                line = (
                    b": still thinking\n\n" if is_stalled else b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
                )
                request.wfile.write(line)
                time.sleep(0.02)
        except OSError:
            has_gone.set()
        request.close_connection = True

    def watch():
        if time.monotonic() - begun > 0.3:
            raise KeyboardInterrupt

    served.answers.append(write_on)
    back_end, _ = server(served, watch=watch)
    with pytest.raises(KeyboardInterrupt):
        ask(back_end, Question(prompt="fox"), on_text=lambda text: watch())
    assert has_gone.wait(5) and time.monotonic() - begun < 3
