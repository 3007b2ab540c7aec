"""A language server that stands in ComfyUI's settings writes a prompt; its key is nowhere on disk."""

import pytest
from loopback import events, loopback, send

from prompt_graphs import encode, node, text_to_image

BETWEEN_TURNS = "\n"
KEY = "sk-nowhere-to-be-found"
WRITTEN = 'A small shop at night, the neon sign reads "OPEN" in red.'


@pytest.fixture
def writer(server):
    """The server's address in the settings, with a key in the file of keys; neither is there afterwards."""
    with loopback() as told:
        keys = server.base / "user/zimage/server_keys.txt"
        keys.parent.mkdir(parents=True, exist_ok=True)
        keys.write_text(f"{told.address} {KEY}\n")
        server.post("/settings", {"ZImage.ServerAddress": told.address, "ZImage.ServerModel": "loopback-8b"})
        yield told
        server.post("/settings", {"ZImage.ServerAddress": ""})
        keys.unlink()


def graph(request, writer="language server"):
    settings = {
        **{"when": "always", "language": "as the request", "length": "medium", "seed": 0, "thinking": 256},
        **{"instruction": "by language", "keep_on_disk": True, "own_prompt": "", "writer": writer},
    }
    base = text_to_image()
    clip = base["positive"]["inputs"]["clip"]
    writing = node("ZImageEnhancePrompt", clip=clip, request=request, **settings)
    return {**base, "writer": writing, "positive": encode(["writer", 0])}


def run_and_listen(run, prompt):
    told = {}
    outcome = run(
        prompt, lambda kind, data: told.update({data["node"]: data["output"]}) if kind == "executed" else None
    )
    return outcome, told


def test_the_server_of_the_settings_writes_once_and_its_key_is_nowhere_on_disk(server, run, writer):
    writer.answers += [{"content": WRITTEN, "reasoning_content": "hm"}]
    request = 'a shop "OPEN", by a server'
    outcome, told = run_and_listen(run, graph(request))
    assert outcome.error is None, outcome.error
    assert told["writer"]["text"] == [WRITTEN] and writer.keys == [f"Bearer {KEY}"]
    assert writer.bodies[0]["model"] == "loopback-8b" and writer.bodies[0]["messages"][1]["content"] == request
    again, _ = run_and_listen(run, graph(request))
    assert again.executed == [] and len(writer.bodies) == 1
    keys = server.base / "user/zimage/server_keys.txt"
    files = [each for each in server.base.rglob("*") if each.is_file() and each != keys]
    assert outcome.files and [str(each) for each in files if KEY.encode() in each.read_bytes()] == []


def turns(first="", second="longer"):
    """Two edits of a picture, the second told of the first; nothing is drawn."""
    graph_of = {"clip": node("ZImageTextEncoderLoader", text_encoder_name="nano (built in)")}
    settings = {"when": "always", "language": "English", "length": "short", "seed": 0, "thinking": 0}
    settings |= {"instruction": "by language", "keep_on_disk": False, "writer": "language server"}
    for name, request, own in (("one", "make his beard red", first), ("two", second, "")):
        earlier = {"earlier": ["one", 0]} if name == "two" else {}
        asked = {**settings, **earlier, "clip": ["clip", 0], "request": request, "own_prompt": own}
        graph_of[name] = node("ZImageEnhancePrompt", kind="edit instruction", **asked)
    return {**graph_of, "shown": node("PreviewAny", source=["two", 0])}


def test_a_second_edit_is_told_of_the_first_as_a_person_left_it_and_only_what_changed_is_asked(run, writer):
    red, long, mine = "Make the man's beard bright red.", "Make the man's red beard longer.", "Dye his beard dark red."
    writer.answers += [{"content": red}, {"content": long}, {"content": "Make the man's dark red beard longer."}]
    _, told = run_and_listen(run, turns())
    assert told["two"]["text"] == told["shown"]["text"] == [long]
    first, second = (each["messages"] for each in writer.bodies)
    assert first[1]["content"] == "make his beard red" and second[1]["content"] == "longer"
    assert red in second[0]["content"] and red not in first[0]["content"]
    outcome, _ = run_and_listen(run, turns(first=mine))
    assert outcome.error is None and len(writer.bodies) == 3
    assert mine in writer.bodies[2]["messages"][0]["content"] and red not in writer.bodies[2]["messages"][0]["content"]


def test_a_third_edit_is_told_of_both_before_it_in_their_order(run, writer):
    graph_of = turns()
    both = node("StringConcatenate", string_a=["one", 0], string_b=["two", 0], delimiter=BETWEEN_TURNS)
    third = {**graph_of["two"]["inputs"], "request": "and curl it", "earlier": ["both", 0]}
    graph_of |= {"both": both, "three": node("ZImageEnhancePrompt", **third)}
    graph_of["shown"] = node("PreviewAny", source=["three", 0])
    red, long = "Make the man's beard bright red.", "Make the man's red beard longer."
    writer.answers += [{"content": red}, {"content": long}, {"content": "Curl the man's long red beard."}]
    outcome, told = run_and_listen(run, graph_of)
    assert outcome.error is None, outcome.error
    assert told["shown"]["text"] == ["Curl the man's long red beard."]
    assert f"{red}{BETWEEN_TURNS}{long}" in writer.bodies[2]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda request: send(request, b"<html>"), "something else than a chat completion"),
        (events({"content": "a f"}, is_whole=False), "stopped in the middle of its answer"),
    ],
    ids=["a page", "half an answer"],
)
def test_what_is_wrong_with_a_server_is_a_sentence_on_the_node_without_its_key(run, writer, answer, said):
    writer.answers += [answer]
    outcome, _ = run_and_listen(run, turns(second=said))
    assert said in str(outcome.error) and KEY not in str(outcome.error)


def test_without_an_address_the_node_says_where_to_type_one(run):
    outcome, _ = run_and_listen(run, graph("a fox"))
    assert "No language server is set" in str(outcome.error)
