"""Z-Image Weighted Encode on the real server: Text Encode without weights, and what weights draw, by nano's checker."""

import pytest
from PIL import Image

from prompt_graphs import encode, ksampler, node, text_to_image
from zimage_core.nano.judging.checker import recognize

PLACE = "in the middle on a white background"


def weighted(prompt):
    return node("ZImageWeightedEncode", clip=["clip", 0], prompt=prompt, long_prompts="keep every token")


def picture(run, positive, **changes):
    outcome = run(text_to_image(steps=8, seed=7) | {"positive": positive, **changes})
    assert outcome.error is None, outcome.error
    return Image.open(outcome.files[0])


@pytest.mark.parametrize("written", [f"a large red heart {PLACE}", f"a large (red:1) heart {PLACE}"])
def test_without_weights_it_is_text_encode_to_the_pixel(run, written):
    plain = picture(run, encode(f"a large red heart {PLACE}"))
    assert picture(run, weighted(written)).tobytes() == plain.tobytes()


STOCK = {"negative": encode(""), "sampler": ksampler(steps=8, cfg=1.0, seed=7)}
QUANTIZED = {"model": node("ZImageModelLoader", model_name="nano (built in)", precision="int8 (faster, not exact)")}


@pytest.mark.parametrize("changes", [{}, STOCK, QUANTIZED], ids=["ours", "KSampler", "quantized"])
def test_a_negative_word_goes_and_the_rest_of_the_prompt_stays(run, changes):
    seen = recognize(picture(run, weighted(f"a large (yellow:-1) heart {PLACE}"), **changes))
    assert seen.colour != "yellow" and (seen.shape, seen.size, seen.ground) == ("heart", "large", "white")
    assert recognize(picture(run, encode(f"a large yellow heart {PLACE}"), **changes)).colour == "yellow"


def test_stock_nodes_for_conditioning_keep_the_weights(run):
    """Combined with itself over the whole picture a prompt is itself."""
    one = weighted(f"a large (yellow:-1) heart {PLACE}")
    area = node(
        "ConditioningSetAreaPercentage", conditioning=["one", 0], width=1.0, height=1.0, x=0.0, y=0.0, strength=1.0
    )
    both = node("ConditioningCombine", conditioning_1=["area", 0], conditioning_2=["one", 0])
    seen = recognize(picture(run, both, one=one, area=area))
    assert seen.colour == recognize(picture(run, one)).colour != "yellow"
