"""Z-Image Arena on the real server: blind pairs, votes by the page's routes, the same standing after a restart."""

import json
import urllib.parse
from io import BytesIO
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from prompt_graphs import node, text_to_image, turbo
from tools.comfyui import running_server
from zimage_core.data.preferences import read_preferences

NAMES = "two steps\nfour steps"


def arena_graph(name):
    """Two pictures each of two contestants, and their pictures saved."""
    graph = text_to_image("a small blue star on white", seed=3)
    graph["latent"]["inputs"]["batch_size"] = 2
    few = {
        "few": turbo(seed=3, steps=2),
        "decode_few": node("ZImageVAEDecode", latent=["few", 0], vae=["vae", 0], tile_size=0),
    }
    images = {"images.image0": ["decode_few", 0], "images.image1": ["decode", 0]}
    arena = node("ZImageArena", arena=name, names=NAMES, prompt="", **images)
    return {**graph, **few, "arena": arena, "told": node("PreviewAny", source=["arena", 0])}


def ask(server, path, **query):
    status, answer = server.post(f"/zimage/{path}", query)
    assert status == 200, answer
    return answer


def seen(server, view):
    """The pixels of a picture as the page gets it."""
    with urlopen(f"{server.url}/view?{urllib.parse.urlencode(view)}") as answer:
        return np.asarray(Image.open(BytesIO(answer.read())).convert("RGB"))


@pytest.mark.slow
def test_votes_last_over_a_restart_and_a_run_tells_them(server, run):
    name = "steps 步数"
    outcome = run(arena_graph(name))
    assert outcome.error is None, outcome.error
    shown = ask(server, "arena", arena=name)
    assert (shown["waiting"], shown["votes"], shown["standings"], shown["last"]) == (2, 0, [], None)
    assert "steps" not in json.dumps(shown["pair"] | {"left": shown["pair"]["left"]["filename"], "right": ""})
    drawn = [np.asarray(Image.open(file).convert("RGB")) for file in outcome.files]
    sides = [seen(server, shown["pair"][side]) for side in ("left", "right")]
    assert any(np.array_equal(one, other) for one in drawn for other in sides)

    assert run(arena_graph(name)).error is None
    assert ask(server, "arena", arena=name)["waiting"] == 2  # the same pictures again add nothing

    voted = ask(server, "arena/vote", arena=name, pair=shown["pair"]["id"], choice="right")
    assert {voted["last"]["chosen"], voted["last"]["rejected"]} == set(NAMES.splitlines())
    ask(server, "arena/vote", arena=name, pair=voted["pair"]["id"], choice="draw")
    assert ask(server, "arena/undo", arena=name) == voted
    status, answer = server.post("/zimage/arena/vote", {"arena": name, "pair": shown["pair"]["id"], "choice": "left"})
    assert status == 400 and "decided already" in answer["error"]

    [vote] = read_preferences(server.output / "zimage_arena" / name / "preferences.jsonl")
    assert (vote.prompt, vote.chosen_seed, vote.side) == ("a small blue star on white", 3, "right")
    chosen = np.asarray(Image.open(server.output / "zimage_arena" / name / vote.chosen).convert("RGB"))
    assert np.array_equal(chosen, sides[1])

    told = []
    run(arena_graph(name), lambda kind, data: told.append(data) if kind == "executed" else None)
    [lines] = [each["output"]["text"] for each in told if each["node"] == "told"]
    assert f"1. {vote.chosen_by}: " in lines[0] and "1 won, 0 drawn, 0 lost" in lines[0]

    with running_server(server.base, server.output) as restarted:
        assert ask(restarted, "arena", arena=name) == voted
