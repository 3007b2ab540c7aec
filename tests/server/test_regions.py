"""Z-Image Region on the real server: two objects by two prompts, boxes of ComfyUI's own nodes, and what is saved."""

import json

import pytest
from PIL import Image

from prompt_graphs import custom_sampler, encode, loaders, node

PLACE = {"y": 0.0, "width": 0.5, "height": 1.0}
SETTINGS = {"strength": 1.0, "global_weight": 0.3, "outside": 0.0, "start_percent": 0.0, "end_percent": 1.0}
HEART, STAR = (
    f"a small {thing} on a white background" for thing in ("red heart on the left", "blue star on the right")
)


def region(conditioning, prompt, **changes):
    inputs = {**PLACE, **SETTINGS, "x": 0.0, "box_number": 0, **changes}
    return node("ZImageRegion", conditioning=[conditioning, 0], region_prompt=[prompt, 0], **inputs)


def graph(**changes):
    """Two regions through the stock custom sampler; changes of the second."""
    return {
        **loaders(),
        "whole": encode("a white background"),
        "heart": encode(HEART),
        "star": encode(STAR),
        "left": region("whole", "heart"),
        "positive": region("left", "star", **{"x": 0.5, **changes}),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sigmas": node("ZImageSigmas", steps=8, shift=3.0, strength=1.0),
        "guider": node("BasicGuider", model=["model", 0], conditioning=["positive", 0]),
        "noise": node("RandomNoise", noise_seed=3),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sampler": custom_sampler(),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="regions"),
    }


def test_two_regions_have_their_own_colours_and_stand_in_the_file(run):
    outcome = run(graph())
    assert outcome.error is None, outcome.error
    picture = Image.open(outcome.files[0])
    left, right = (picture.convert("RGB").crop(box).resize((1, 1), Image.Resampling.BOX) for box in HALVES)
    (red, _, blue), (other_red, _, other_blue) = left.getpixel((0, 0)), right.getpixel((0, 0))
    assert red > blue and other_blue > other_red
    facts = json.loads(picture.text["zimage"])[0]
    assert facts["prompt"] == "a white background"
    assert [(each["prompt"], each["x"], each["width"]) for each in facts["regions"]] == [
        (HEART, 0.0, 0.5),
        (STAR, 0.5, 0.5),
    ]


HALVES = ((0, 0, 32, 64), (32, 0, 64, 64))


def test_a_bounding_box_of_comfyui_takes_the_place_of_the_numbers(run):
    box = node("PrimitiveBoundingBox", x=32, y=0, width=32, height=64)
    boxed = run({**graph(x=0.0, boxes=["box", 0]), "box": box})
    assert boxed.error is None, boxed.error
    pictures = [Image.open(outcome.files[0]).tobytes() for outcome in (boxed, run(graph()))]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("place", [{"width": 0.0}, {"x": 1.0}])
def test_a_region_without_area_is_refused_on_its_node(run, place):
    outcome = run(graph(**place))
    assert outcome.error["node_type"] == "ZImageRegion"
    assert "region" in outcome.error["exception_message"]
