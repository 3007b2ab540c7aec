"""A language model at an address: a server on loopback that speaks the protocol and remembers what it was asked."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from loopback import events, loopback, send
from PIL import Image

from zimage_core.chat_answer import ChatServerError
from zimage_core.chat_server import ChatServer
from zimage_core.cli import main
from zimage_core.language import GREEDY, Budgets
from zimage_core.language.back_end import Question, Reply, ask
from zimage_core.language.remote import RemoteBackEnd

KEY = "sk-do-not-tell"


@pytest.fixture
def served(monkeypatch):
    """The address, the answers to give, and the bodies that came."""
    monkeypatch.setenv("ZIMAGE_CHAT_KEY", KEY)
    with loopback() as told:
        yield told.address, told.answers, told.bodies
        assert {*told.keys} <= {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "a fox", "reasoning_content": "hm"},
        {"content": "a fox", "reasoning": "hm"},
        {"content": "<think>\nhm\n</think>\n\na fox"},
    ],
    ids=["llama.cpp and vLLM", "Ollama", "in marks"],
)
def test_a_thought_is_apart_wherever_a_server_puts_it(served, message):
    address, messages, bodies = served
    messages.append(message)
    question = Question(prompt="fox", instruction="Be brief.", budgets=Budgets(thought=30, answer=20), seed=7)
    back_end = RemoteBackEnd(ChatServer(address=address, model="qwen"))
    assert ask(back_end, question) == Reply("hm", "a fox")
    [body] = bodies
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert (body["max_tokens"], body["seed"], body["temperature"], body["model"]) == (50, 7, 0.6, "qwen")
    assert KEY not in back_end.name and "chat_template_kwargs" not in body


def test_a_model_that_would_think_is_told_not_to(served):
    address, messages, bodies = served
    messages.append({"content": "a fox"})
    question = Question(prompt="fox", budgets=Budgets(thought=0, answer=20), sampling=GREEDY)
    ask(RemoteBackEnd(ChatServer(address=address)), question)
    assert bodies[0]["chat_template_kwargs"] == {"enable_thinking": False} and bodies[0]["temperature"] == 0


def test_pictures_come_before_the_words_pixel_by_pixel_and_large_ones_are_shrunk(served):
    address, messages, bodies = served
    messages.append({"content": "two pictures"})
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8))
    pictures = (noise, Image.new("RGB", (4096, 16)))
    ask(RemoteBackEnd(ChatServer(address=address)), Question(prompt="What?", pictures=pictures))
    *shown, told = bodies[0]["messages"][-1]["content"]
    sent = [Image.open(io.BytesIO(base64.b64decode(each["image_url"]["url"].split(",")[1]))) for each in shown]
    assert told == {"type": "text", "text": "What?"}
    assert np.array_equal(sent[0], noise) and sent[1].size == (2048, 8)


def test_who_does_not_see_is_not_shown_pictures(served):
    address, _, bodies = served
    blind = replace(RemoteBackEnd(ChatServer(address=address)), sees=False)
    with pytest.raises(ValueError, match="does not see pictures; choose a model that does"):
        ask(blind, Question(prompt="What?", pictures=(Image.new("RGB", (4, 4)),)))
    assert not bodies


def test_tokens_that_ran_out_in_a_thought_leave_an_empty_answer(served):
    address, messages, _ = served
    messages.append({"content": None, "reasoning": "hm"})
    assert ask(RemoteBackEnd(ChatServer(address=address)), Question(prompt="fox")) == Reply("hm", "")


def test_a_key_stands_in_no_message(served, monkeypatch):
    address, messages, _ = served
    messages.append({"content": ["bad key", KEY]})
    with pytest.raises(ChatServerError) as told:
        ask(RemoteBackEnd(ChatServer(address=address)), Question(prompt="fox"))
    assert KEY not in str(told.value) and "***" in str(told.value)
    monkeypatch.setenv("ZIMAGE_CHAT_KEY", f"{KEY}\nx")
    with pytest.raises(ChatServerError, match="signs that no key has") as told:
        ask(RemoteBackEnd(ChatServer(address=address)), Question(prompt="fox"))
    assert KEY not in str(told.value)


def test_what_is_no_completion_is_one_sentence(served):
    address, messages, _ = served
    messages.append(lambda request: send(request, b'{"choices": [{"message": ["no"]}]}'))
    with pytest.raises(ChatServerError, match="something else than a chat completion"):
        ask(RemoteBackEnd(ChatServer(address=address)), Question(prompt="fox"))


def test_the_command_enhances_by_an_address_and_asks_again_for_a_lost_text(served, capsys):
    address, messages, bodies = served
    good = 'A shop window at night, the neon sign reads "OPEN" in red.'
    messages += [{"content": "A shop window at night."}, {"content": good}]
    assert main(["enhance", 'a shop "OPEN"', "--encoder", address, "--length", "short"]) == 0
    assert capsys.readouterr().out.strip() == good
    assert 'the text "OPEN" is missing' in bodies[1]["messages"][-1]["content"]
    assert "60 to 80 words" in bodies[0]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        (
            [{"reasoning_content": "h"}, {"reasoning_content": "m"}, {"content": "a "}, {"content": "fox"}],
            ("hm", "a fox"),
        ),
        ([{"reasoning": "hm"}, {"content": None}, {"content": "a fox"}], ("hm", "a fox")),
        ([{"content": "<th"}, {"content": "ink>hm</th"}, {"content": "ink>a"}, {"content": " fox"}], ("hm", "a fox")),
        ([{"content": "hm</think>a"}, {"content": " fox"}], ("hm", "a fox")),  # the template wrote the first mark
        ([{"role": "assistant"}, {"content": "a fox"}], ("", "a fox")),
        ([{"content": "<think>hm"}], ("<think>hm", "")),
    ],
)
@pytest.mark.parametrize("thought", [30, 0])
def test_a_stream_is_the_same_in_pieces(served, deltas, expected, thought):
    address, answers, bodies = served
    answers.append(events(*deltas))
    question = Question(prompt="fox", budgets=Budgets(thought=thought, answer=20))
    assert ask(RemoteBackEnd(ChatServer(address=address)), question) == Reply(*expected)
    assert bodies[0]["stream"] is True


@pytest.mark.slow
def test_the_command_solves_a_riddle_with_nano_and_says_what_cannot_write(capsys):
    assert (
        main(["enhance", "the shape with a hole in the colour of grass", "--encoder", "nano", "--thinking", "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert "green ring" in told["prompt"] and "grass" in told["reasoning"] and told["changed"]
    assert main(["enhance", "a fox", "--encoder", "/none"]) == 1
    assert "neither nano, nor a folder, nor an address" in capsys.readouterr().err
