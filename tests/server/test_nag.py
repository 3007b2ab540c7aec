"""Z-Image NAG on the real server: nano's checker sees the avoided colour go, on every model and sampler, and why."""

import json

import pytest
from PIL import Image

from prompt_graphs import custom_sampler, encode, ksampler, node, text_to_image
from zimage_core.nano.judging.checker import recognize

PROMPT = "a large heart in the middle on a white background"
SETTINGS = {"scale": 4.0, "tau": 2.5, "alpha": 0.25, "start_percent": 0.0, "end_percent": 1.0}
MODELS = {
    "ours": {},
    "quantized": {
        "before": node("ZImageModelLoader", model_name="nano (built in)", precision="int8 (faster, not exact)")
    },
}
SAMPLERS = {
    "Turbo": {},
    "KSampler": {"sampler": ksampler("nag", steps=8, cfg=1.0), "negative": encode("")},
    "SamplerCustomAdvanced": {
        "guider": node("BasicGuider", model=["nag", 0], conditioning=["positive", 0]),
        "noise": node("RandomNoise", noise_seed=5),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("ZImageSigmas", steps=8, shift=3.0, strength=1.0),
        "sampler": custom_sampler(),
    },
}


def drawn(run, avoided, changes):
    """A picture's file, with the negative prompt `avoided`; none where that is empty."""
    graph = text_to_image(PROMPT, steps=8, seed=5, model=["nag", 0]) | changes
    source = "before" if "before" in changes else "model"
    graph["avoid"] = encode(avoided or "nothing")
    graph["nag"] = node("ZImageNAG", model=[source, 0], negative=["avoid", 0], **SETTINGS)
    if not avoided:
        graph["nag"]["inputs"]["scale"] = 1.0
    outcome = run(graph)
    assert outcome.error is None, outcome.error
    return outcome.files[0]


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_avoided_colour_goes_and_the_rest_of_the_prompt_stays(run, model, sampler):
    first = recognize(Image.open(drawn(run, "", {**model, **sampler})))
    second = recognize(Image.open(drawn(run, f"a {first.colour} heart", {**model, **sampler})))
    assert second.colour != first.colour
    assert (second.shape, second.size, second.ground) == ("heart", "large", "white")


def test_a_picture_tells_its_negative_prompt_and_the_settings(run):
    facts = [json.loads(Image.open(drawn(run, words, {})).text["zimage"])[0] for words in ("red", "")]
    assert facts[0]["nag"] == {"negative": "red", **SETTINGS}
    assert "nag" not in facts[1]
