"""Large pictures on a running ComfyUI: with int8 and without, by ours and the stock sampler, and named in the file."""

import json

import pytest
from PIL import Image

from prompt_graphs import encode, ksampler, loaders, node

LARGE = {"width": 128, "height": 96, "method": "tiles", "detail": 0.25}
TILES = {"tile_size": 64, "overlap": 16}


@pytest.mark.parametrize("precision", ["automatic", "int8 (faster, not exact)"])
def test_a_large_picture_is_drawn_by_any_sampler_and_says_how(run, precision):
    prompt = {**loaders(), "positive": encode("a large red circle in the middle on white"), "negative": encode("")}
    prompt["model"]["inputs"]["precision"] = precision
    prompt["large"] = node("ZImageLargePicture", model=["model", 0], vae=["vae", 0], **LARGE)
    prompt["stock"] = ksampler("large", latent_image=["large", 1])
    prompt["tiles"] = node("ZImageTiledRefine", model=["model", 0], **TILES)
    ours = {"seed": 5, "steps": 4, "solver": "euler", "shift": 3.0, "strength": 0.5}
    prompt["ours"] = node(
        "ZImageTurboSampler", model=["tiles", 0], positive=["positive", 0], latent=["stock", 0], **ours
    )
    prompt["decode"] = node("ZImageVAEDecode", latent=["ours", 0], vae=["vae", 0], tile_size=0)
    prompt["save"] = node("SaveImage", images=["decode", 0], filename_prefix="large")
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    picture = Image.open(outcome.files[0])
    assert picture.size == (128, 96) and picture.getextrema() != ((0, 0),) * 3
    entries = {entry["sampler"]: entry for entry in json.loads(picture.text["zimage"])}
    assert entries["stock"]["large"] == LARGE and entries["ours"]["large"] == TILES
