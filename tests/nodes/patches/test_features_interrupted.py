"""What changes a picture, on our MODEL, an attached stock one and int8 layers: all at once, interrupted, and again.

An interruption within a step leaves the MODEL as it was: the next run draws what the first drew, bit for bit.
"""

import importlib
from functools import cache, partial
from itertools import product

import pytest
import torch

import quantized_files
from controlled_pictures import picture
from model_files import write_control
from native_pictures import draw, extra

HALF = {"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0}
NEGATIVE, OWN = (50, 5), (20, 8)
SAMPLERS = ("KSampler", "SamplerCustomAdvanced", "ours")
TOGETHER = ("nag", "region", "diversity", "style", "tiles", "cache", "doctor", "control")
FEATURES = (*TOGETHER, "large")


@pytest.fixture(scope="module")
def nodes(pack):
    """Our nodes as functions, with their widgets' defaults."""

    def load(module, name):
        node = getattr(importlib.import_module(f"zimage_pack.nodes.{module}"), name)
        inputs = [each for each in node.define_schema().inputs if getattr(each, "default", None) is not None]
        defaults = {each.id: each.default for each in inputs if not each.optional}
        return lambda **given: node.execute(**{**defaults, **given}).result

    return load


@pytest.fixture(scope="module")
def models(native, pack, tmp_path_factory):
    """A MODEL by its kind, made when a test first asks, in inference mode as nodes run."""

    def int8(folder):
        choose = quantized_files.block_linears(quantized_files.QUANTIZERS["int8_tensorwise by rows"])
        made = quantized_files.quantize_state(
            native.weights(), lambda layer: choose(layer) if layer.startswith("layers.") else None
        )
        return pack.bridge_model.load_model(str(quantized_files.save(made, folder / "int8.safetensors")))

    def attached(folder):
        return importlib.import_module("zimage_pack.nodes.bridge.network.attach").attach(native.model())

    kinds = {"ours": partial(native.ours, pack), "attached": attached, "int8": int8}
    return cache(lambda kind: kinds[kind](tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope="module")
def control_net(native, pack, tmp_path_factory):
    """A ControlNet of the models' widths, with random weights."""
    file = tmp_path_factory.mktemp("control") / "control.safetensors"
    write_control(file, native.CONFIG)
    return importlib.import_module("zimage_pack.nodes.bridge.loading.control_net").load_control(str(file))


@pytest.fixture
def build(native, nodes, steer, control_net, vae, models):
    """A MODEL, a prompt and a latent with features on them."""

    def features(kind, names):
        model, positive = models(kind), native.conditioning(17, 1)
        side = 8 if "large" not in names else 12
        latent = {"samples": torch.zeros(1, 16, side, side)}
        for name in names:
            match name:
                case "nag":
                    (model,) = nodes("nag", "ZImageNAG")(model=model, negative=native.conditioning(*NEGATIVE))
                case "style":
                    style = nodes("style_reference", "ZImageStyleReference")
                    model = style(model=model, vae=vae, image=picture(4))[0]
                case "tiles":
                    model = nodes("tiled_refine", "ZImageTiledRefine")(model=model, tile_size=32, overlap=16)[0]
                case "cache":
                    model = nodes("speed", "ZImageStepCache")(model=model)[0]
                case "doctor":
                    model = nodes("doctor", "ZImageDoctor")(model=model)[0]
                case "control":
                    model = steer(model, control_net, image=picture(2), strength=0.7)
                case "large":
                    large = nodes("large_picture", "ZImageLargePicture")
                    model = large(model=model, vae=vae, width=96, height=96, method="as it is")[0]
                case "region":
                    region = nodes("region", "ZImageRegion")
                    positive = region(conditioning=positive, region_prompt=native.conditioning(*OWN), **HALF)[0]
                case "diversity":
                    vary = nodes("diversity", "ZImageDiversity")
                    (positive,) = vary(conditioning=positive, strength=0.5, share=0.5, seed=3)
        return model, positive, latent

    return features


@pytest.fixture
def sample(native, pack):
    """By sampler: a latent drawn of a MODEL, a prompt and a blank one."""
    sigmas = pack.groups[3].shifted_schedule(2, 3.0)

    def stock(model, positive, latent):
        return draw(native, model, steps=2, cfg=2.0, latent=latent, positive=positive)

    def custom(model, positive, latent):
        (guider,) = extra("nodes_custom_sampler", "BasicGuider")(model=model, conditioning=positive)
        (noise,) = extra("nodes_custom_sampler", "RandomNoise")(noise_seed=7)
        (sampler,) = extra("nodes_custom_sampler", "KSamplerSelect")(sampler_name="euler")
        run = extra("nodes_custom_sampler", "SamplerCustomAdvanced")
        return run(noise=noise, guider=guider, sampler=sampler, sigmas=sigmas, latent_image=latent)[0]["samples"]

    def ours(model, positive, latent):
        core = pack.bridge_sampling
        settings = {"sigmas": sigmas, "seed": 7, "solver": "euler", "guidance": core.Guidance(cfg=2.0)}
        return core.sample(model, positive, native.conditioning(40, 2), latent, **settings).latent["samples"]

    return {"KSampler": stock, "SamplerCustomAdvanced": custom, "ours": ours}


@pytest.fixture
def interrupt(monkeypatch, comfy):
    """A function that interrupts within the second step, as the page's button does."""
    management = comfy.model_management
    check = management.throw_exception_if_processing_interrupted

    def within(call, blocks=None):
        seen = 0

        def count():
            nonlocal seen
            seen += 1
            if seen == blocks:
                management.interrupt_current_processing()
            check()

        monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", count)
        try:
            return call(), seen
        finally:
            monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", check)

    return within


@pytest.fixture(scope="module")
def plain():
    """What a MODEL draws without features, by kind and sampler: the first run of each."""
    return {}


@pytest.fixture
def check(build, sample, interrupt, comfy, plain):
    """Draw with features, interrupted, again, and without: by kind of MODEL, sampler and features."""

    def run(kind, sampler, names):
        draw, changed, unchanged = sample[sampler], build(kind, names), build(kind, [])
        if (kind, sampler) not in plain:
            plain[kind, sampler] = draw(*unchanged)
        drawn, blocks = interrupt(lambda: draw(*changed))
        assert drawn.isfinite().all()
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            interrupt(lambda: draw(*changed), 2 * blocks // 3)
        assert torch.equal(draw(*changed), drawn)
        assert torch.equal(draw(*unchanged), plain[kind, sampler])

    return run


@pytest.mark.parametrize("feature", FEATURES)
def test_an_interruption_within_a_step_leaves_nothing(check, feature):
    check("ours", "KSampler", [feature])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sampler"), [("ours", "ours"), ("int8", "KSampler"), *product(["attached"], SAMPLERS)]
)
def test_all_of_them_on_every_model_by_every_sampler(check, kind, sampler):
    check(kind, sampler, TOGETHER)
