"""What changes a picture, side by side on the real server: neutral settings, every pair, and all of it at once."""

from itertools import combinations

import pytest
from PIL import Image

from prompt_graphs import encode, ksampler, node, text_to_image

RANGE = {"start_percent": 0.0, "end_percent": 1.0}
ON_MODEL = {  # node, settings that act, settings that change nothing
    "nag": ("ZImageNAG", {"negative": ["avoid", 0], "tau": 2.5, "alpha": 0.25, "scale": 3.0, **RANGE}, {"scale": 1.0}),
    "style": (
        "ZImageStyleReference",
        {"vae": ["vae", 0], "image": ["reference", 0], "strength": 1.0, **RANGE},
        {"strength": 0.0},
    ),
    "tiles": ("ZImageTiledRefine", {"tile_size": 64, "overlap": 16}, {"tile_size": 2048}),
    "cache": ("ZImageStepCache", {"threshold": 0.2, "max_skips": 3, **RANGE}, {"threshold": 0.0}),
    "doctor": ("ZImageDoctor", {"broken_step": "repeat it safely"}, {}),
}
ON_PROMPT = {
    "region": (
        "ZImageRegion",
        {
            "region_prompt": ["other", 0],
            **{"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0},
            **{"strength": 1.0, "outside": 0.0, "global_weight": 0.3, "box_number": 0, **RANGE},
        },
        {"strength": 0.0},
    ),
    "diversity": (
        "ZImageDiversity",
        {"strength": 0.5, "share": 0.5, "seed": 3, "protect": "", "protect_quoted": True, **RANGE},
        {"strength": 0.0},
    ),
}
FEATURES = (*ON_MODEL, *ON_PROMPT)


def graph(features, *, is_neutral=False, sampler=None):
    """Nano's 128x128 picture with the features one behind the other."""
    prompt = text_to_image()
    prompt["latent"] = node("EmptyLatentImage", width=128, height=128, batch_size=1)
    prompt |= {"avoid": encode("a blue star"), "other": encode("a large green heart"), "negative": encode("")}
    prompt["reference"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0x2A8050)
    ends = {"model": ("model", ON_MODEL), "conditioning": ("positive", ON_PROMPT)}
    if sampler is not None:
        prompt["sampler"] = sampler
    for name in features:
        socket = "model" if name in ON_MODEL else "conditioning"
        end, table = ends[socket]
        kind, acting, neutral = table[name]
        prompt[name] = node(kind, **{socket: [end, 0], **acting, **(neutral if is_neutral else {})})
        ends[socket] = name, table
    prompt["sampler"]["inputs"] |= {"model": [ends["model"][0], 0], "positive": [ends["conditioning"][0], 0]}
    return prompt


def picture(run, prompt):
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    return Image.open(outcome.files[0]).convert("RGB")


def test_all_of_them_switched_off_change_no_bit(run):
    plain = picture(run, graph(()))
    assert picture(run, graph(FEATURES, is_neutral=True)).tobytes() == plain.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("pair", list(combinations(FEATURES, 2)), ids=" and ".join)
def test_every_pair_draws(run, pair):
    """Neither black nor of one colour, in either order of the nodes on the MODEL."""
    for features in (pair, pair[::-1]):
        assert all(high - low > 60 for low, high in picture(run, graph(features)).getextrema()), features


@pytest.mark.slow
def test_all_of_them_at_once_with_guidance_by_the_stock_sampler(run):
    drawn = picture(run, graph(FEATURES, sampler=ksampler()))
    assert all(high - low > 60 for low, high in drawn.getextrema())
