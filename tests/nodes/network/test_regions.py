"""Z-Image Region on a MODEL: what it leaves alone, bit for bit, and beside which nodes it works."""

import importlib
from functools import partial

import pytest
import torch

HALF = {"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0}
FULL = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0}
NOISE = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def region(pack):
    """The node's call: the conditioning it returns."""
    node = importlib.import_module("zimage_pack.nodes.region").ZImageRegion
    inputs = node.define_schema().inputs[2:]
    defaults = {each.id: each.default for each in inputs if not each.optional}

    def call(conditioning, prompt, **changes):
        return node.execute(conditioning, prompt, **{**defaults, **changes}).result[0]

    return call


@pytest.fixture(params=["ours", "attached"])
def model(request, models):
    return getattr(models, request.param)


@pytest.fixture
def words(native):
    """Three prompts: of the picture, of a region (another padded length), negative."""
    return native.conditioning(20, 1), native.conditioning(50, 5), native.conditioning(40, 9)


@pytest.fixture
def draw(comfy, model, words):
    def run(positive, *, model=model, cfg=3.0, noise=NOISE, steps=2):
        settings = (steps, cfg, "euler", "simple", positive, words[2], torch.zeros_like(noise))
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    return run


def test_one_full_region_is_the_plain_prompt_and_strength_0_no_region(draw, region, words):
    whole, own, _ = words
    assert torch.equal(draw(region(whole, own, **FULL, global_weight=0.0)), draw(own))
    mask = torch.ones(1, 5, 7)
    assert torch.equal(draw(region(whole, own, **HALF, mask=mask, global_weight=0.0)), draw(own))
    assert region(whole, own, strength=0.0) is whole
    assert region(whole, own, mask=torch.zeros(1, 4, 4)) is whole


def test_a_region_acts_only_in_its_range(draw, region, words):
    whole, own, _ = words
    plain = draw(whole)
    assert not torch.equal(draw(region(whole, own)), plain)
    assert torch.equal(draw(region(whole, own, start_percent=0.999)), plain)
    early, late = (draw(region(whole, own, **each)) for each in ({"end_percent": 0.5}, {"start_percent": 0.5}))
    assert not torch.equal(early, late) and not torch.equal(early, plain) and not torch.equal(late, plain)


@pytest.mark.slow
def test_fifty_overlapping_regions_run(draw, region, words):
    positive = words[0]
    for index in range(50):
        positive = region(positive, words[0], x=index / 60, width=0.3)
    assert draw(positive, noise=NOISE[:1], steps=1, cfg=1.0).isfinite().all()


def test_a_zeroed_copy_of_the_prompt_has_no_regions(draw, region, words):
    whole, own, _ = words
    zeros = [[torch.zeros_like(whole[0][0]), whole[0][1]]]
    assert torch.equal(draw(region(zeros, own)), draw(zeros))


def test_a_node_that_compares_prompts_gets_both_in_one_call(draw, region, words, model):
    seen = []
    compared = model.clone()
    compared.set_model_patch(lambda out, options: (seen.append(len(out)), out)[1], "attn1_output_patch")
    whole, own, _ = words
    positive = region(whole, own)
    torch.testing.assert_close(draw(positive, model=compared), draw(positive), atol=1e-4, rtol=1e-4)
    assert max(seen) == 4


def test_our_sampler_draws_what_the_stock_one_draws(pack, draw, region, words, model):
    whole, own, negative = words
    core = pack.bridge_sampling
    sigmas = pack.groups[3].shifted_schedule(2, 3.0)
    sample = partial(core.sample, sigmas=sigmas, seed=7, solver="euler", guidance=core.Guidance(cfg=3.0))
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    ours = sample(model, region(whole, own), negative, latent)
    plain = sample(model, whole, negative, latent)
    assert not torch.equal(ours.latent["samples"], plain.latent["samples"]) and not ours.note


def test_a_model_of_the_stock_loader_says_that_it_knows_no_regions(pack, region, words, models):
    core, (whole, own, negative) = pack.bridge_sampling, words
    sigmas = pack.groups[3].shifted_schedule(1, 3.0)
    settings = {"sigmas": sigmas, "seed": 7, "solver": "euler", "guidance": core.Guidance()}
    result = core.sample(models.native, region(whole, own), negative, {"samples": torch.zeros(1, 16, 8, 8)}, **settings)
    assert "Put Z-Image Attach behind its loader" in result.note


def test_boxes_and_elements_name_the_same_place_as_numbers(draw, region, words):
    whole, own, _ = words
    expected = draw(region(whole, own, **HALF))
    boxes = [{"x": 32, "y": 0, "width": 32, "height": 64}, {"x": 0, "y": 0, "width": 32, "height": 64}]
    assert torch.equal(draw(region(whole, own, boxes=[boxes], box_number=2)), expected)
    element = {"type": "obj", "bbox": [0, 0, 1000, 500], "desc": ""}
    assert torch.equal(draw(region(whole, own, boxes=[element])), expected)


@pytest.mark.parametrize(
    ("changes", "words_of_error"),
    [
        ({"start_percent": 0.6, "end_percent": 0.5}, "This region would start at 0.6 of the run and end at 0.5"),
        ({"boxes": [{"x": 0, "y": 0, "width": 8, "height": 8}], "box_number": 2}, "There is no box 2: 1 arrived"),
        ({"boxes": ["left"]}, "Connect the boxes of a detector"),
        ({"width": 0.0}, "covers nothing"),
    ],
)
def test_a_wrong_place_is_refused_in_a_sentence(region, words, changes, words_of_error):
    with pytest.raises(ValueError, match=words_of_error):
        region(words[0], words[1], **changes)


def test_a_prompt_that_is_none_for_a_region_is_refused(region, words):
    whole, own, negative = words
    with pytest.raises(ValueError, match="2 conditionings"):
        region(whole, [*own, *negative])
    with pytest.raises(ValueError, match="same text encoder"):
        region(whole, [[own[0][0][..., :8], {}]])
    with pytest.raises(ValueError, match="whole prompt has none"):
        region(whole, [[own[0][0], {"reference_latents": [NOISE]}]])


def test_nag_keeps_its_negative_prompt_right_before_the_picture(pack, draw, region, words, model):
    """One region over everything takes the prompt's place, and two halves of one prompt are nearly that."""
    node = importlib.import_module("zimage_pack.nodes.nag").ZImageNAG
    defaults = {
        each.id: each.default for each in node.define_schema().inputs if getattr(each, "default", None) is not None
    }
    whole, own, negative = words
    with_nag = node.execute(model=model, negative=negative, **defaults).result[0]
    halves = region(region(whole, own, global_weight=0.0), own, x=0.5, global_weight=0.0)
    full = region(whole, own, **FULL, global_weight=0.0)
    plain, guided = (draw(own, model=each, cfg=1.0) for each in (model, with_nag))
    assert torch.equal(draw(full, model=with_nag, cfg=1.0), guided)
    moved = draw(halves, model=with_nag, cfg=1.0) - draw(halves, cfg=1.0)
    assert torch.nn.functional.cosine_similarity(moved.flatten(), (guided - plain).flatten(), dim=0) > 0.5


def test_a_tile_hears_what_its_part_of_the_picture_hears(pack, words):
    conditions = importlib.import_module("zimage_pack.nodes.bridge.network.regional_conditions")
    tiles = importlib.import_module("zimage_pack.nodes.bridge.network.tiles")
    area = importlib.import_module("zimage_pack.zimage_core.conditioning.region_area")
    regions = (conditions.Region(caption=words[1][0][0], area=area.Box(**HALF)),)
    whole = conditions.heard_captions(regions, (4, 8))
    for left, captions in ((0, [1]), (6, [0, 1]), (8, [0])):
        window = tiles.Window(top=0, left=left, height=8, width=8)
        heard = conditions.heard_captions(regions, (4, 4), tiles.Tile(window, (8, 16)))
        assert heard.captions == captions
        part = whole.weights.view(2, 4, 8)[captions, :, left // 2 : left // 2 + 4]
        assert torch.equal(heard.weights, part.flatten(1))
