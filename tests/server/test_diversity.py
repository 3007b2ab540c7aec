"""Z-Image Diversity and Z-Image Doctor on a real server: off, not a pixel moves; on, the saved picture names it."""

import json

import pytest
from PIL import Image

from prompt_graphs import encode, ksampler, loaders, node

SETTINGS = {
    "seed": 4,
    "end_percent": 1.0,
    "protect": "star",
    "protect_quoted": True,
    "start_percent": 0.0,
    "share": 1.0,
}


def graph(name, *, strength=None, precision="automatic", doctor=False):
    """Nano through the stock KSampler, with noise on its prompt unless `strength` is None, watched or not."""
    prompt = {
        **loaders(),
        "model": node("ZImageModelLoader", model_name="nano (built in)", precision=precision),
        "positive": encode("a large blue star in the middle on white"),
        "negative": encode(""),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sampler": ksampler("doctor" if doctor else "model"),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        "save": node("SaveImage", images=["decode", 0], filename_prefix=name),
    }
    if doctor:
        prompt["doctor"] = node("ZImageDoctor", model=["model", 0], broken_step="repeat it safely")
    if strength is not None:
        prompt["noised"] = node("ZImageDiversity", conditioning=["positive", 0], strength=strength, **SETTINGS)
        prompt["sampler"]["inputs"]["positive"] = ["noised", 0]
    return prompt


@pytest.mark.parametrize("precision", ["automatic", "int8 (faster, not exact)"])
def test_off_and_watched_not_a_pixel_moves_and_on_the_picture_tells_of_it(run, precision):
    def drawn(**changes):
        outcome = run(graph("diverse", precision=precision, **changes))
        assert outcome.error is None, outcome.error
        return Image.open(outcome.files[-1])

    plain, off, on = drawn(), drawn(strength=0.0, doctor=True), drawn(strength=5.0, doctor=True)
    assert off.tobytes() == plain.tobytes() != on.tobytes()
    [entry] = json.loads(on.text["zimage"])
    assert entry["diversity"] == {**SETTINGS, "strength": 5.0}
    assert "diversity" not in json.loads(off.text["zimage"])[0]
