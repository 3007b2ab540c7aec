"""Whatever is asked, our routes answer: 200, or 400 with one sentence, never 500."""

import asyncio
import importlib
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

import headers

GOOD = {
    "tokens": {"prompt": "a red circle", "encoder": "nano (built in)", "template": "prompt"},
    "evaluations": {"steps": 8, "shift": 3.0, "strength": 1.0, "solver": "heun", "cfg": 4.0},
    "release": {"file": "nano (built in)"},
    "lora": {"file": "people/one.safetensors"},
    "arena": {"arena": "one or another"},
    "arena/undo": {"arena": "one or another"},
}
NUMBERS = ("1e400", "-1e400", "NaN", "-Infinity", "1" + "0" * 400, "9" * 5000)


@pytest.fixture(scope="module")
def ask(pack, lora_folder):
    """Status and answer for a body that is sent to a route."""
    (lora_folder / "people").mkdir(exist_ok=True)
    headers.write(lora_folder / "people" / "one.safetensors", {}, {"modelspec.trigger_phrase": "ohwx"})
    (lora_folder / "broken.safetensors").write_bytes(b"<html>")
    (lora_folder.parent / "outside.safetensors").write_bytes((lora_folder / "people/one.safetensors").read_bytes())
    Image.new("RGB", (64, 32), "red").save(lora_folder / "broken.png")
    folder_paths = importlib.import_module("folder_paths")
    folder_paths.filename_list_cache.clear()
    routes = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.routes")

    async def call(path, bodies):
        app = web.Application()
        app.router.add_post("/ask", routes._route(routes.ROUTES[path]))
        async with TestClient(TestServer(app)) as client:
            answers = []
            for body in bodies:
                content = {"Content-Type": "application/json; charset=nonsense"}
                async with client.post("/ask", data=body, headers=content) as response:
                    answers.append((response.status, json.loads(await response.text())))
            return answers

    return lambda path, *bodies: asyncio.run(call(path, bodies))


@pytest.mark.slow
@pytest.mark.parametrize("path", GOOD)
def test_every_question_is_answered(ask, path):
    good = json.dumps(GOOD[path]).encode()
    junk = [None, True, -1, 0.5, "", "x", "\0", "\ud800", "../../../etc/passwd", "x" * 5000, [], {}, [[[1]]]]
    values = [json.dumps(value).encode() for value in GOOD[path].values()]
    texts = [good.replace(value, number.encode(), 1) for value in values for number in NUMBERS]
    bodies = [
        *(b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff\xfe\xff", b"[" * 100_000, b'{"a":' * 100_000),
        *(b'{"prompt": ' + b"[" * depth + b"]" * depth + b"}" for depth in (50, 500, 900, 990, 100_000)),
        *(json.dumps({**GOOD[path], name: value}).encode() for name in GOOD[path] for value in junk),
        *(json.dumps({key: value for key, value in GOOD[path].items() if key != name}).encode() for name in GOOD[path]),
        *texts,
    ]
    (status, answer), *others = ask(path, good, *bodies)
    assert status == 200 and "error" not in answer
    for body, (status, answer) in zip(bodies, others, strict=True):
        assert status in (200, 400), body[:80]
        if status == 400:
            assert answer["error"].strip() and len(answer["error"].splitlines()) == 1, (body[:80], answer)


def test_what_cannot_be_read_or_counted_is_refused_in_words(ask):
    steps = [b'{"steps": %s, "shift": 3, "strength": 1, "solver": "euler"}' % number.encode() for number in NUMBERS[:5]]
    for status, answer in ask("evaluations", *steps):
        assert status == 400 and "steps is" in answer["error"] and "not a finite number" in answer["error"]
    for path in GOOD:
        [(status, answer)] = ask(path, b"[" * 100_000)
        assert status == 400 and "nested too deeply" in answer["error"]


def test_a_lora_is_answered_with_its_words_and_its_picture_and_nothing_outside_the_folder_is(ask):
    names = ("people/one", "people\\one", "broken", "../outside", "people/../../outside", "people")
    bodies = [json.dumps({"file": f"{name}.safetensors"}).encode() for name in names]
    named, slashed, unreadable, *outside = ask("lora", *bodies)
    assert named == slashed == (200, {"words": ["ohwx"], "preview": ""})
    assert unreadable[0] == 200 and unreadable[1]["preview"].startswith("data:image/webp;base64,")
    assert all(status == 400 and "there is no LoRA" in answer["error"] for status, answer in outside)
