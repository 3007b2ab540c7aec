"""Z-Image Draw Sigmas on the real server: what its curve draws, and how a bad one is refused."""

import json

import pytest
from PIL import Image

from prompt_graphs import custom_sampler, encode, loaders, node


def graph(sigmas):
    """A picture by the stock custom sampler."""
    return {
        **loaders(),
        "positive": encode("a large red heart in the middle on a white background"),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sigmas": sigmas,
        "guider": node("BasicGuider", model=["model", 0], conditioning=["positive", 0]),
        "noise": node("RandomNoise", noise_seed=3),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sampler": custom_sampler(),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="drawn"),
    }


def drawn(points, steps=8, shift=3.0):
    return node("ZImageDrawnSigmas", steps=steps, shift=shift, points=points)


@pytest.mark.parametrize("points", ["0 1, 1 0", "0 1, 0.5 0.75, 1 0"])
def test_turbos_curve_draws_turbos_picture(run, points):
    outcome = run(graph(drawn(points)))
    assert outcome.error is None, outcome.error
    published = run(graph(node("ZImageSigmas", steps=8, shift=3.0, strength=1.0)))
    picture, same = Image.open(outcome.files[0]), Image.open(published.files[0])
    assert picture.tobytes() == same.tobytes()
    facts = json.loads(picture.text["zimage"])[0]
    assert (facts["steps"], facts["shift"], facts["points"]) == (8, 3.0, points)


def test_another_curve_draws_another_picture(run):
    pictures = [run(graph(drawn(points))).files[0] for points in ("0 1, 1 0", "0 1, 0.5 0.4, 1 0")]
    one, other = (Image.open(file).tobytes() for file in pictures)
    assert one != other


def test_a_curve_that_rises_is_refused_before_anything_runs(run):
    outcome = run(graph(drawn("0 0.5, 0.5 0.8, 1 0")))
    assert "The point 0.5 0.8 does not go on downward from 0 0.5" in json.dumps(outcome.error)
    assert outcome.executed == []


def test_points_from_another_node_are_checked_when_it_runs(run):
    text = node("PrimitiveString", value="0 1, 1 2")
    outcome = run({**graph(drawn(["text", 0])), "text": text})
    assert "The point 1 2 lies outside the curve" in outcome.error["exception_message"]
