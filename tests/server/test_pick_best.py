"""Z-Image Pick Best on the real server: the pictures of the samplers alone, the best of them, none drawn twice."""

import json

import numpy as np
import pytest
from PIL import Image

from prompt_graphs import custom_sampler, encode, ksampler, loaders, node, text_to_image

SETTINGS = {"score": "sharpness", "tries": 3, "good_enough": 100000.0, "prompt": "", "texts": "", "reader": "automatic"}
PROMPT = "a large heart in the middle"  # leaves colour and ground to the seed


def picked(graph, **settings):
    """A graph with Pick Best before its Save Image; all tries are saved, too."""
    return {
        **graph,
        "best": node("ZImagePickBest", images=["decode", 0], **{**SETTINGS, **settings}),
        "save": node("ZImageSaveImage", images=["best", 0], filename_prefix="best", parameters=True),
        "tries": node("SaveImage", images=["best", 3], filename_prefix="tries"),
    }


def stock(seed, **changes):
    """Nano through the stock KSampler."""
    return {
        **loaders(),
        "positive": encode(PROMPT),
        "negative": encode(""),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sampler": ksampler(seed=seed, **changes),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["vae", 0]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="alone"),
    }


def custom(seed):
    """Nano through ComfyUI's custom sampler, whose seed is a node's of its own."""
    graph = {**stock(0), "sampler": custom_sampler()}
    return graph | {
        "noise": node("RandomNoise", noise_seed=seed),
        "guider": node("BasicGuider", model=["model", 0], conditioning=["positive", 0]),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("ZImageSigmas", steps=3, shift=3.0, strength=1.0),
    }


def ours(seed):
    return text_to_image(PROMPT, seed=seed)


def pixels(files):
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def files_of(outcome, prefix):
    return [file for file in outcome.files if file.name.startswith(prefix)]


@pytest.mark.parametrize("graph", [ours, stock, custom])
def test_every_try_is_the_samplers_picture_of_the_next_seed_and_the_sharpest_is_kept(run, graph):
    outcome = run(picked(graph(20)))
    assert outcome.error is None, outcome.error
    tries, [best] = pixels(files_of(outcome, "tries")), pixels(files_of(outcome, "best"))
    alone = [pixels(run(graph(seed)).files)[0] for seed in (20, 21, 22)]
    assert len(tries) == 3 and all(map(np.array_equal, tries, alone))
    saved = Image.open(files_of(outcome, "best")[0])
    *_, facts = json.loads(saved.text["zimage"])
    values = [value for [value] in facts["values"]]
    assert facts["value"] == max(values) and facts["seed"] == 20 + values.index(max(values))
    assert np.array_equal(best, alone[facts["seed"] - 20])
    assert f"Seed: {facts['seed']}," in saved.text["parameters"]
    assert sum(".ZImageTextEncode-" in name for name in outcome.executed) == 0  # the graph's own, once


def test_it_stops_at_a_good_picture_and_one_try_is_the_plain_one(run):
    for settings in ({"good_enough": 0.0}, {"tries": 1}):
        outcome = run(picked(ours(31), **settings))
        assert outcome.error is None, outcome.error
        assert not any("Sampler-" in name for name in outcome.executed)
        assert len(files_of(outcome, "tries")) == 1
        assert np.array_equal(pixels(files_of(outcome, "best"))[0], pixels(run(ours(31)).files)[0])


def test_of_a_score_that_is_better_the_lower_it_is_the_lowest_is_kept(run):
    outcome = run(picked(ours(40), score="noise", good_enough=0.0))
    *_, facts = json.loads(Image.open(files_of(outcome, "best")[0]).text["zimage"])
    assert facts["value"] == min(value for [value] in facts["values"])


def test_of_batches_with_seeds_of_their_own_each_picture_counts_once(run):
    graph = ours(50)
    graph["latent"]["inputs"]["batch_size"] = 2
    graph["sampler"]["inputs"]["seed_per_picture"] = True
    outcome = run(picked(graph))
    assert outcome.error is None, outcome.error
    tries = pixels(files_of(outcome, "tries"))
    assert len({each.tobytes() for each in tries}) == len(tries) == 6
    *_, facts = json.loads(Image.open(files_of(outcome, "best")[0]).text["zimage"])
    alone, best = pixels(run(ours(facts["seed"])).files)[0], pixels(files_of(outcome, "best"))[0]
    assert np.abs(alone.astype(int) - best).max() <= 2  # a batch of two rounds otherwise than one alone


def test_after_an_interruption_only_the_missing_tries_are_drawn(server, run):
    begun = []

    def interrupt_in_the_third(kind, data):
        if kind == "executing" and ".ZImageTurboSampler-" in str(data["node"]):
            begun.append(data["node"])
            if len(begun) == 2:
                server.post("/interrupt", {})

    stopped = run(picked(ours(60), tries=4), interrupt_in_the_third)
    assert stopped.is_interrupted
    resumed = run(picked(ours(60), tries=4))
    assert resumed.error is None, resumed.error
    assert sum(".ZImageTurboSampler-" in name for name in resumed.executed) == 2
    assert len(files_of(resumed, "tries")) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"score": "word accuracy"}, "no text was asked for"), ({"score": "nano's scene", "prompt": "a cat"}, "no shape")],
)
def test_what_no_try_could_answer_is_said_before_anything_is_drawn(run, changes, words):
    outcome = run(picked(ours(70), **changes))
    assert words in outcome.error["exception_message"]
    assert "sampler" not in outcome.executed


def test_a_picture_without_a_seed_behind_it_is_a_sentence(server, run):
    Image.new("RGB", (64, 64)).save(server.base / "input" / "black.png")
    outcome = run(picked({"decode": node("LoadImage", image="black.png")}))
    assert "Nothing with a seed draws the picture" in outcome.error["exception_message"]
