"""Captions by a server on loopback: what it is shown and told, and what is not believed."""

import base64
import io
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from loopback import Loopback, loopback, send
from PIL import Image

from zimage_core.chat_server import ChatServer
from zimage_core.language.captioning import Known, Wish, caption, difference, read_instructions
from zimage_core.language.captioning.caption import STYLES, style_of
from zimage_core.language.captioning.difference import NO_DIFFERENCE, Pair
from zimage_core.language.captioning.faults import cleaned, find_faults
from zimage_core.language.captioning.instructions import DIFFERENCE
from zimage_core.language.remote import RemoteBackEnd

FOX = "A red fox sits in fresh snow beside a wooden sign."
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8))


@pytest.fixture
def server():
    with loopback() as told:
        yield told


def back_end(server: Loopback, **settings):
    settings = {"seconds": 10.0, "attempts": 1, **settings}
    return RemoteBackEnd(ChatServer(address=server.address, wait=lambda seconds: None, **settings))


def captioned(server, kind="short", language="en", **known):
    [instruction] = read_instructions(kind, language).files
    return caption(NOISE, back_end(server), instruction, Wish(kind=kind, language=language), Known(**known))


def shown(body):
    *pictures, _ = body["messages"][-1]["content"]
    return [Image.open(io.BytesIO(base64.b64decode(each["image_url"]["url"].split(",")[1]))) for each in pictures]


def test_the_picture_is_sent_and_the_lettering_and_facts_are_told(server):
    server.answers.append(f'{FOX} It says "OPEN".')
    found = captioned(server, "short", lettering=("OPEN",), facts={"place": "Hokkaido"})
    assert found.text == f'{FOX} It says "OPEN".' and not found.problem
    [body] = server.bodies
    [picture] = shown(body)
    assert np.array_equal(np.asarray(picture), np.asarray(NOISE))
    told = body["messages"][0]["content"]
    assert '"OPEN"' in told and "place: Hokkaido" in told and "5 to 15 words" in told and "{" not in told


@pytest.mark.parametrize("kind", ["tags", "short", "medium", "long", "user"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_has_instructions_without_open_slots_in_its_language(server, kind, language):
    captioned(server, kind, language, lettering=("OPEN",))
    told = server.bodies[0]["messages"][0]["content"]
    assert "{" not in told and ("图" in told or "画" in told) == (language == "zh")


def test_lost_lettering_is_asked_for_once_more_and_stands_as_a_problem_where_it_stays_lost(server):
    long = " ".join(["A fox sits in snow beside a sign"] * 8)
    server.answers += [f"{long}.", f'{long}, "SORTIE".']
    assert captioned(server, "medium", lettering=("SORTIE",)).problem == ""
    assert 'the text "SORTIE" is missing' in server.bodies[1]["messages"][-1]["content"][-1]["text"]
    server.answers += [f"{long}.", f'{long}, "EXIT".']
    again = captioned(server, "medium", lettering=("SORTIE",))
    assert again.problem == 'the text "SORTIE" is missing' and "EXIT" in again.text


@pytest.mark.parametrize(
    "answer",
    [
        "Here is the caption: {}",
        "Sure! Here's a short caption for your picture:\n\n{}",
        "**Caption:** {}",
        '"{}"',
        "```\n{}\n```",
        "<think>\nhm\n</think>\n\n{}",
        "{}",
    ],
)
def test_what_stands_around_a_caption_goes(server, answer):
    server.answers.append(answer.format(FOX))
    assert captioned(server).text == FOX and len(server.bodies) == 1


def test_a_lead_goes_and_what_only_looks_like_one_stays():
    assert cleaned("好的，以下是图片说明：雪地里坐着一只狐狸。") == "雪地里坐着一只狐狸。"
    for text in ("A sign: no parking.", "Here is where the river bends.", '"OPEN" stands on a door, "CLOSED" below.'):
        assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "kind", "language", "said"),
    [
        ("雪地里坐着一只红色的狐狸", "short", "en", "written in Chinese"),
        (FOX, "short", "zh", "written in English"),
        ("word " * 40, "short", "en", "it has 40 words, where 5 to 15"),
        ("fox, snow", "tags", "en", "it has 2 tags"),
        (f"{FOX} <think>", "short", "en", "a thought"),
        ("I'm sorry, I cannot look at pictures.", "short", "en", "talks about itself"),
        ("", "short", "en", "nothing was answered"),
    ],
)
def test_what_a_caption_may_not_be_is_said_in_a_sentence(text, kind, language, said):
    assert said in find_faults(text, kind, language)[0]


def test_lettering_decides_no_language():
    assert find_faults('一家小店的门上挂着红色的牌子，写着 "OPEN UNTIL NINE EVERY DAY"。', "short", "zh") == []


def test_users_word_their_requests_in_every_style_and_one_picture_always_in_the_same():
    pictures = [Image.new("RGB", (2, 2), (level, 0, 0)) for level in range(60)]
    assert {style_of(picture, 0) for picture in pictures} == set(range(1, STYLES + 1))
    assert style_of(NOISE, 4) == style_of(NOISE.copy(), 4) != style_of(NOISE, 5)


def test_a_difference_is_found_in_three_steps(server):
    instructions = read_instructions(DIFFERENCE, "en")
    pair = Pair(NOISE, Image.new("RGB", (4, 4)), ("a fox", "a wolf"))
    wish = Wish(kind=DIFFERENCE)
    server.answers += ["the fox became a wolf", "Make the second picture a wolf.", "Replace the fox with a grey wolf."]
    assert difference(pair, back_end(server), instructions, wish).text == "Replace the fox with a grey wolf."
    compare, instruct, again = server.bodies
    assert [len(shown(body)) for body in server.bodies] == [2, 2, 2]
    assert "Source: a fox\nTarget: a wolf" in compare["messages"][0]["content"]
    assert "the fox became a wolf" in instruct["messages"][0]["content"]
    assert "the editor sees one picture" in again["messages"][-1]["content"][-1]["text"]
    server.answers.append("None.")
    assert difference(pair, back_end(server), instructions, wish).problem == NO_DIFFERENCE


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda request: send(request, b'{"choices": [{"mess'), "something else than a chat completion"),
        (lambda request: send(request, b"slow down", 429), "answered 429"),
        (lambda request: send(request, b" " * (9 << 20)), "answered more than 8 MB"),
        (lambda request: time.sleep(0.6), "did not answer"),
    ],
    ids=["broken JSON", "429", "huge", "stall"],
)
def test_a_server_that_fails_is_one_sentence(server, answer, said):
    server.answers.append(answer)
    [instruction] = read_instructions("short", "en").files
    with pytest.raises(ValueError, match=said) as told:
        caption(NOISE, back_end(server, seconds=0.3), instruction, Wish(kind="short"))
    assert "\n" not in str(told.value)


def test_a_model_that_does_not_see_says_so():
    blind = replace(RemoteBackEnd(ChatServer(address="http://127.0.0.1:1")), sees=False)
    [instruction] = read_instructions("short", "en").files
    with pytest.raises(ValueError, match="does not see pictures"):
        caption(NOISE, blind, instruction, Wish(kind="short"))


def test_the_users_own_instruction_comes_before_ours(tmp_path, server):
    (tmp_path / "short.en.md").write_text("---\nlanguage: en\nversion: 7\n---\nSay it in verse.\n")
    own = read_instructions("short", "en", [tmp_path])
    assert own.name == "short.en 7" and own.digest != read_instructions("short", "en").digest
    caption(NOISE, back_end(server), own.files[0], Wish(kind="short"))
    assert server.bodies[0]["messages"][0]["content"] == "Say it in verse."
    assert json.dumps(server.bodies[0]).count("data:image/png;base64,") == 1
