"""What changes a picture beside LoRA and ControlNet, on int8 layers and on an attached stock MODEL, with all samplers.

All of it on the real server. The stock MODEL is ComfyUI's own network with nano's weights (`stock_nano.py`), as the
stock loader reads released widths only.
"""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from feature_graphs import CONTROL, FEATURES, FROM_FILES, LORA, graph, is_drawn
from model_files import write_control
from prompt_graphs import custom_sampler, ksampler, node
from zimage_core.config import NANO_DIT

BESIDE = ("nag", "region", "diversity", "style")
INT8 = "int8 (faster, not exact)"
SAMPLERS = {
    "Turbo": {},
    "KSampler": {"sampler": ksampler()},
    "SamplerCustomAdvanced": {
        "sampler": custom_sampler(),
        "noise": node("RandomNoise", noise_seed=5),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("ZImageSigmas", steps=4, shift=3.0, strength=1.0),
    },
}


@pytest.fixture(scope="module")
def files(server):
    """A ControlNet of nano's widths and a LoRA of one layer, both random."""
    write_control(server.base / "models/model_patches" / CONTROL, NANO_DIT)
    layer, generator = "diffusion_model.layers.2.feed_forward.w1", torch.Generator().manual_seed(4)
    down, up = (0.1 * torch.randn(*shape, generator=generator) for shape in ((4, 192), (512, 4)))
    save_file({f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}, server.base / "models/loras" / LORA)


@pytest.fixture(scope="module")
def drawn():
    """Pictures by what they were drawn with, each drawn once."""
    return {}


@pytest.fixture
def picture(run, files, drawn):
    def cached(*settings, **more):
        key = json.dumps([settings, more], sort_keys=True)
        if key not in drawn:
            drawn[key] = draw(*settings, **more)
        return drawn[key]

    def draw(features, *, is_neutral=False, sampler="Turbo", precision="automatic", is_attached=False):
        nodes = SAMPLERS[sampler]
        prompt = {**graph(features, is_neutral=is_neutral, sampler=nodes.get("sampler")), **nodes}
        if sampler == "SamplerCustomAdvanced":
            prompt["sampler"] = nodes["sampler"]
        prompt["model"]["inputs"]["precision"] = precision
        if is_attached:
            prompt |= {"stock": node("StockNano"), "model": node("ZImageAttach", model=["stock", 0])}
        outcome = run(prompt)
        assert outcome.error is None, outcome.error
        image = Image.open(outcome.files[0]).convert("RGB")
        assert is_drawn(image), features
        return image.tobytes()

    return cached


@pytest.mark.slow
@pytest.mark.parametrize("file", FROM_FILES)
@pytest.mark.parametrize("feature", BESIDE)
def test_each_acts_beside_a_lora_and_a_controlnet(picture, feature, file):
    both = picture((feature, file))
    assert len({both, picture((feature,)), picture((file,))}) == 3
    assert picture((file, feature)) == both  # the order of the nodes says nothing


def test_a_region_has_a_lora_of_its_own_which_the_picture_names(run, files):
    def draw(strength):
        prompt = graph(("region",))
        prompt["region"]["inputs"] |= {"lora": LORA, "lora_strength": strength}
        outcome = run(prompt)
        assert outcome.error is None, outcome.error
        drawn = Image.open(outcome.files[0])
        return drawn.convert("RGB").tobytes(), json.loads(drawn.text["zimage"])[0]["regions"][0]

    (changed, region), (plain, without) = draw(0.8), draw(0.0)
    assert region["lora"] == {"file": LORA, "strength": 0.8} and "lora" not in without
    assert changed != plain


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("precision", ["automatic", INT8])
def test_all_of_them_with_lora_and_controlnet(picture, precision, sampler):
    features = (*FROM_FILES, *FEATURES)
    picture(features, sampler=sampler, precision=precision)
    neutral = picture(features, is_neutral=True, sampler=sampler, precision=precision)
    assert neutral == picture((), sampler=sampler, precision=precision)


@pytest.mark.parametrize("feature", [*BESIDE, "large"])
def test_an_attached_stock_model_draws_what_ours_does(picture, feature):
    ours, attached = (picture((feature,), is_attached=each) for each in (False, True))
    levels, others = (torch.frombuffer(bytearray(each), dtype=torch.uint8).float() for each in (ours, attached))
    assert (levels - others).abs().mean() < 0.1  # of 255


@pytest.mark.slow
def test_all_of_them_on_an_attached_stock_model(picture):
    def drawn(features, **settings):
        return picture(features, sampler="KSampler", is_attached=True, **settings)

    features = (*FROM_FILES, *FEATURES)
    assert drawn(features) != drawn(features, is_neutral=True) == drawn(())
