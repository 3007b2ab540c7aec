"""Z-Image Preference on the real server: a batch of one prompt, choices by the page's routes, and the file of pairs."""

import numpy as np
from PIL import Image

from prompt_graphs import node, text_to_image
from zimage_core.data.preferences import read_preferences


def graph(name):
    drawn = text_to_image("a star", seed=3)
    drawn["latent"]["inputs"]["batch_size"] = 3
    chosen = node("ZImagePreference", images=["decode", 0], name=name, prompt="")
    return {**drawn, "prefer": chosen, "told": node("PreviewAny", source=["prefer", 1])}


def ask(server, path, **query):
    status, answer = server.post(f"/zimage/{path}", {"kind": "preferences", **query})
    assert status == 200, answer
    return answer


def test_choices_between_pictures_of_a_batch_are_pairs_in_a_file_beside_them(server, run):
    name, told = "stars 星星", []
    outcome = run(graph(name))
    assert outcome.error is None, outcome.error
    first = ask(server, "arena", arena=name)
    assert (first["waiting"], first["votes"], first["standings"]) == (3, 0, [])  # each of three with each other
    chosen = ask(server, "arena/vote", arena=name, pair=first["pair"]["id"], choice="right")
    assert (chosen["last"]["side"], chosen["last"]["draw"], chosen["standings"]) == ("right", False, [])
    ask(server, "arena/vote", arena=name, pair=chosen["pair"]["id"], choice="draw")
    assert ask(server, "arena/undo", arena=name) == chosen
    assert server.post("/zimage/arena", {"arena": name, "kind": "../up"})[0] == 400
    assert server.post("/zimage/arena", {"arena": name})[1]["waiting"] == 0  # no arena has that name

    folder = server.output / "zimage_preferences" / name
    [pair] = read_preferences(folder / "preferences.jsonl")
    assert pair.prompt == "a star" and {pair.chosen_seed, pair.rejected_seed} == {3}
    pictures = [np.asarray(Image.open(folder / each)) for each in (pair.chosen, pair.rejected)]
    drawn = [np.asarray(Image.open(file).convert("RGB")) for file in outcome.files]
    assert all(any(np.array_equal(one, other) for other in drawn) for one in pictures)

    run(graph(name), lambda kind, data: told.append(data) if kind == "executed" else None)
    assert [each["output"]["text"] for each in told if each["node"] == "told"] == [["1"]]
    assert ask(server, "arena", arena=name) == chosen  # the same pictures again add nothing
