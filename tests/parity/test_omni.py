"""Reference pictures against diffusers 0.42.1's Omni mode on the same tiny random weights, float32, CPU."""

import pytest
import torch
from PIL import Image

import tiny
from zimage_core.model import Reference
from zimage_core.vae import crop_to_patches, from_images, shrink_to_area

pytest.importorskip("diffusers")
reference_networks = pytest.importorskip("bench.systems.diffusers_networks")

CLOSE = {"atol": 1e-5, "rtol": 0}

# An item: lengths of its chunks, (latent or None, features or None) of its references, the target's latent.
ONE = ((5, 11, 3), [((8, 12), (4, 6))], (8, 12))
TWO = ((4, 2, 40, 3), [((6, 10), (3, 5)), ((8, 8), (5, 4))], (12, 8))
FULL = ((32, 64, 32), [((8, 16), (4, 8))], (8, 16))  # chunks that need no pads
BLIND = ((4, 9, 3), [((8, 8), None)], (8, 8))
UNSEEN = ((4, 9, 3), [(None, (4, 4))], (8, 8))
LINE = ((4, 9, 3), [((2, 30), (1, 12))], (2, 30))

ITEMS = {
    "one reference": [ONE],
    "two references": [TWO],
    "captions of whole blocks": [FULL],
    "no latent": [UNSEEN],
    "one row of features": [LINE],
    "features missing from one of two": [((4, 2, 9, 3), [((8, 8), None), ((8, 8), (4, 4))], (8, 8))],
    "two alike": [ONE, ONE],
    "two unlike": [ONE, TWO],
    "equal blocks, unequal words": [ONE, ((6, 20, 3), *ONE[1:])],
}


@pytest.fixture(scope="module")
def ours():
    return tiny.omni()


@pytest.fixture(scope="module")
def theirs(ours):
    return reference_networks.build_transformer(ours.config, ours.state_dict())


def drawn(items, generator):
    """Latents, noise levels, chunks and references of items."""

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    def reference(latent, grid):
        return Reference(latent and random(16, *latent), grid and random(*grid, 40))

    latents = [random(16, *target) for *_, target in items]
    chunks = [[random(length, 48) for length in lengths] for lengths, *_ in items]
    references = [[reference(*known) for known in wanted] for _, wanted, _ in items]
    return latents, torch.rand(len(items), generator=generator), chunks, references


def published(model, latents, sigma, chunks, references):
    """What the reference pipeline would ask and how it would read the answer."""
    seen = [[None if each.latent is None else each.latent[:, None] for each in known] for known in references]
    features = [[each.vision_features for each in known] for known in references]
    raw = model(
        x=[[*known, latent[:, None]] for known, latent in zip(seen, latents, strict=True)],
        t=1 - sigma,
        cap_feats=chunks,
        siglip_feats=[[*grids, None] if any(grid is not None for grid in grids) else None for grids in features],
        image_noise_mask=[[0] * len(known) + [1] for known in references],
        return_dict=False,
    )[0]
    return [-velocity[:, 0] for velocity in raw]


@pytest.mark.parametrize("items", ITEMS.values(), ids=ITEMS)
@torch.no_grad()
def test_references_give_the_published_velocity_in_every_batch(ours, theirs, items, generator):
    latents, sigma, chunks, references = drawn(items, generator)
    expected = published(theirs, latents, sigma, chunks, references)
    found = ours(latents, sigma, chunks, references=references, caption_positions="diffusers")
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, **CLOSE)


@torch.no_grad()
def test_plain_pairs_of_latent_and_features_are_references_bit_for_bit(ours, generator):
    sizes = [((8, 12), (4, 6)), ((8, 8), None), (None, (3, 5))]
    latents, sigma, chunks, references = drawn([((5, 33, 9, 4, 3), sizes, (8, 12))], generator)
    pairs = [[(each.latent, each.vision_features) for each in item] for item in references]
    assert pairs[0][1][1] is None and pairs[0][2][0] is None
    expected = ours(latents, sigma, chunks, references=references)
    assert torch.equal(ours(latents, sigma, chunks, references=pairs)[0], expected[0])
    condition = ours.prepare_with_references(chunks, pairs, (8, 12))
    assert torch.equal(ours.flow(condition)(latents[0][None], sigma)[0], expected[0])


@torch.no_grad()
def test_without_features_the_branch_is_left_out_as_it_is_there(ours, theirs, generator):
    inputs = drawn([BLIND, BLIND], generator)
    *plain, references = inputs
    found = ours(*plain, references=references, caption_positions="diffusers")
    for one, other in zip(published(theirs, *inputs), found, strict=True):
        torch.testing.assert_close(other, one, **CLOSE)


@pytest.mark.parametrize("length", [17, 32])
@torch.no_grad()
def test_without_references_the_picture_follows_the_words_and_not_their_pads(ours, theirs, length, generator):
    inputs = drawn([((length,), [], (8, 12))], generator)
    *plain, references = inputs
    found = ours(*plain, references=references)
    torch.testing.assert_close(found[0], published(theirs, *inputs)[0], **CLOSE)
    latents, sigma, chunks = plain
    text_to_image = ours(latents, sigma, [item[0] for item in chunks])
    is_whole = length % 32 == 0  # then there are no pads to tell the two apart
    assert torch.allclose(text_to_image[0], found[0], atol=1e-5) == is_whole


@torch.no_grad()
def test_the_slip_of_caption_positions_is_real_and_needs_pads_to_show(ours, generator):
    for item, is_slipping in ((TWO, True), (FULL, False)):
        latents, sigma, chunks, references = drawn([item], generator)
        clean, slipped = (
            ours(latents, sigma, chunks, references=references, caption_positions=rule)[0]
            for rule in ("clean", "diffusers")
        )
        assert ((clean - slipped).abs().max() > 0.1) == is_slipping


@torch.no_grad()
def test_a_model_without_the_branch_can_be_shown_latents_as_there(generator):
    dit = tiny.dit()
    inputs = drawn([BLIND], generator)
    *plain, references = inputs
    found = dit(*plain, references=references, caption_positions="diffusers")
    theirs = reference_networks.build_transformer(dit.config, dit.state_dict())
    torch.testing.assert_close(found[0], published(theirs, *inputs)[0], **CLOSE)


def test_features_for_a_model_without_the_branch_are_refused(generator):
    latents, sigma, chunks, references = drawn([ONE], generator)
    with pytest.raises(ValueError, match="no branch for vision features"):
        tiny.dit()(latents, sigma, chunks, references=references)


def test_the_number_of_chunks_must_fit_the_references(ours, generator):
    latents, sigma, chunks, references = drawn([ONE], generator)
    with pytest.raises(ValueError, match="1 references need a chunk of caption each"):
        ours(latents, sigma, [chunks[0][:1]], references=references)


@pytest.mark.parametrize("size", [(1024, 1024), (517, 331), (3000, 1001), (64, 1200), (1537, 1025)])
def test_reference_pictures_are_shrunk_and_cropped_as_the_pipeline_does(size, generator):
    from diffusers.pipelines.flux2.image_processor import Flux2ImageProcessor

    noise = torch.randint(256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), generator=generator, dtype=torch.uint8)
    picture = Image.fromarray(noise.numpy()).resize(size, Image.Resampling.BICUBIC)
    processor = Flux2ImageProcessor(vae_scale_factor=16)
    limited = processor._resize_if_exceeds_area(picture)
    width, height = (side // 16 * 16 for side in limited.size)
    expected = processor.preprocess(limited, height=height, width=width, resize_mode="crop")
    found = from_images([crop_to_patches(shrink_to_area(picture, 1024 * 1024))])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
