"""Z-Image Style Reference on the real server: neutral, with every sampler and model, with neighbours, and refused."""

import pytest
from PIL import Image

from prompt_graphs import custom_sampler, encode, loaders, node

PROMPT = "a large red star on the right"


def graph(**style):
    """A reference drawn by nano, and another prompt in its look by the Turbo sampler."""
    inputs = {"strength": 1.0, "start_percent": 0.0, "end_percent": 0.6, **style}
    turbo = {"seed": 7, "steps": 8, "solver": "euler", "shift": 3.0, "strength": 1.0}
    latent = node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1)
    return {
        **loaders(),
        "latent": latent,
        "other": encode("a large yellow circle on the left on a chessboard"),
        "first": node("ZImageTurboSampler", model=["model", 0], positive=["other", 0], latent=["latent", 0], **turbo),
        "image": node("ZImageVAEDecode", latent=["first", 0], vae=["vae", 0], tile_size=0),
        "style": node("ZImageStyleReference", model=["model", 0], vae=["vae", 0], image=["image", 0], **inputs),
        "positive": encode(PROMPT),
        "sampler": node(
            "ZImageTurboSampler", model=["style", 0], positive=["positive", 0], latent=["latent", 0], **turbo
        ),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="style"),
    }


def picture(run, prompt):
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    return Image.open(outcome.files[0]).convert("RGB")


def test_strength_0_draws_the_plain_picture_and_1_another(run):
    plain = graph()
    plain["sampler"]["inputs"]["model"] = ["model", 0]
    plain = picture(run, plain).tobytes()
    assert picture(run, graph(strength=0.0)).tobytes() == plain
    assert picture(run, graph()).tobytes() != plain


@pytest.mark.slow
def test_the_ground_comes_from_the_reference(run):
    """Nano's chessboard: the prompt names none, and the picture's left column alternates as the board does."""
    corner = picture(run, graph()).crop((0, 0, 8, 64)).convert("L")
    rows = [sum(corner.crop((0, y, 8, y + 1)).getdata()) / 8 for y in range(64)]
    assert max(rows) - min(rows) > 40


def test_a_stock_sampler_takes_it(run):
    prompt = graph()
    prompt |= {
        "sigmas": node("ZImageSigmas", steps=8, shift=3.0, strength=1.0),
        "guider": node("BasicGuider", model=["style", 0], conditioning=["positive", 0]),
        "noise": node("RandomNoise", noise_seed=7),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sampler": custom_sampler(),
    }
    assert picture(run, prompt).size == (64, 64)


def test_a_range_that_runs_backward_is_refused(run):
    outcome = run(graph(start_percent=0.8, end_percent=0.2))
    assert "Set start percent to at most end percent" in outcome.error["exception_message"]
