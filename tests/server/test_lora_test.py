"""Z-Image LoRA Test on the real server, with a LoRA of nano that makes green things red and burns when it is strong."""

import json

import numpy as np
import pytest
from PIL import Image

from colour_lora import write_colour_lora
from prompt_graphs import NANO, encode, loaders, node, text_to_image, turbo
from zimage_core.nano.judging.edit_checker import recognize_objects

PROMPTS = ("a large green heart in the middle on white", "a large green ring in the middle on black")
SETTINGS = {
    "lora": "red.safetensors",
    "prompts": "\n".join(PROMPTS),
    "strengths": "0.5, 1.5, 6",
    "score": "automatic",
    "seed": 400,
    "seeds": 1,
    "burn_limit": 1.0,
    "reader": "automatic",
    "negative_prompt": "",
    "steps": 8,
    "cfg": 1.0,
    "solver": "euler",
    "shift": 3.0,
    "strength": 1.0,
}


@pytest.fixture(scope="module", autouse=True)
def lora(server):
    write_colour_lora(server.base / "models/loras/red.safetensors", drive=0.4)


def graph_of(**settings):
    """All pictures and the sheet are saved."""
    sources = {name: [name, 0] for name in ("model", "clip", "vae", "latent")}
    return {
        **loaders(),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "test": node("ZImageLoraTest", **sources, **{**SETTINGS, **settings}),
        **{
            name: node("SaveImage", images=["test", slot], filename_prefix=name)
            for slot, name in ((0, "sheet"), (3, "all"))
        },
    }


def referred():
    """References that nano draws red, and its vision model."""
    graph = graph_of()
    graph["test"]["inputs"] |= {"references": ["decode", 0], "clip_vision": ["vision", 0]}
    return graph | {
        "vision": node("ZImageVisionLoader", vision_name=NANO),
        "positive": encode("a large red circle in the middle on white"),
        "sampler": turbo(seed=9, steps=8),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
    }


def result(outcome):
    """What the saved sheet tells, and the pictures of every strength."""
    assert outcome.error is None, outcome.error
    [sheet] = [file for file in outcome.files if file.name.startswith("sheet_")]
    *_, facts = json.loads(Image.open(sheet).text["zimage"])
    pictures = [Image.open(file) for file in outcome.files if file.name.startswith("all_")]
    rows = len(PROMPTS)
    return facts, [pictures[first : first + rows] for first in range(0, len(pictures), rows)]


def colours(pictures):
    """What nano's checker sees."""
    return [{each.colour for each in recognize_objects(picture.convert("RGB"))[1]} for picture in pictures]


def saturation(pictures):
    """By Pillow's HSV."""
    return np.mean([np.asarray(picture.convert("HSV"))[..., 1] for picture in pictures])


def test_the_strength_that_brings_the_colour_is_taken_and_the_one_that_burns_is_not(run):
    facts, columns = result(run(referred()))
    assert facts["strength"] == 1.5 and "burn at 6" in facts["why"]
    assert colours(columns[0]) == [{"green"}, {"green"}] and colours(columns[2]) == [{"red"}, {"red"}]
    assert saturation(columns[3]) > 1.3 * saturation(columns[0])
    likeness = [each["value"] for each in facts["strengths"]]
    assert likeness[0] < likeness[2]


def test_strength_0_is_bit_equal_to_no_lora_and_without_references_the_most_change_below_the_limit_is_taken(run):
    facts, columns = result(run(graph_of()))
    for picture, prompt in zip(columns[0], PROMPTS, strict=True):
        [alone] = run(text_to_image(prompt, seed=400, steps=8)).files
        assert np.array_equal(np.asarray(picture), np.asarray(Image.open(alone)))
    first, *others = facts["strengths"]
    assert (first["value"], first["burning"]) == (0, 0)
    assert facts["strength"] == max(each["strength"] for each in others if each["burning"] <= 1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lora": "none"}, "No LoRA is chosen"),
        ({"strengths": "0"}, "none above 0"),
        ({"strengths": "half"}, "strengths: 'half' is not a number"),
        ({"score": "word accuracy"}, "no text was asked for"),
    ],
)
def test_what_cannot_be_tested_is_said_before_anything_is_drawn(run, changes, words):
    outcome = run(graph_of(**changes))
    assert words in outcome.error["exception_message"]
    assert "model" not in outcome.executed
