"""The inpaint nodes with a real VAE, a real model and the stock KSampler: what must not change does not."""

import pytest
import torch

from inpaint_nodes import inpaint, stitched


def outpaint(nodes, image, vae, **changes):
    sides = dict.fromkeys(("left", "top", "right", "bottom"), 0)
    settings = {"ratio": "by pixels", **sides, "megapixels": 0.004, "feather": 8, "anchor": "middle", "context": 2.0}
    return nodes.ZImageOutpaint.execute(image, vae, **{**settings, **changes}).result


def pictures_and_mask(generator, size, count=1, channels=3, masks=1):
    pictures = torch.rand(count, *size, channels, generator=generator)
    mask = torch.zeros(masks, *size)
    for index in range(masks):
        mask[index, size[0] // 2 : size[0] // 2 + 1 + index, size[1] // 3 : size[1] // 3 + 2] = 1
    return pictures, mask


@pytest.mark.parametrize("size", [(331, 517), (64, 64), (15, 9), (1, 1), (16, 200)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_only_the_grown_and_feathered_mask_changes_whatever_is_painted(nodes, vae, size, channels, generator):
    image, mask = pictures_and_mask(generator, size, channels=channels)
    before = image.clone()
    latent, stitch, region = inpaint(nodes, image, mask, vae)
    height, width = (8 * side for side in latent["samples"].shape[-2:])
    assert region.shape == (1, height, width, 3) and height % 16 == width % 16 == 0
    assert latent["noise_mask"].shape == (1, 1, height // 8, width // 8)
    found = stitched(nodes, torch.rand(1, height, width, 3, generator=generator), stitch)
    assert found.shape == (1, *size, max(3, channels)) and torch.equal(image, before)
    rows, columns = (torch.arange(side)[:, None] for side in size)
    hits = mask[0].nonzero()
    far = torch.cdist(torch.cartesian_prod(rows[:, 0], columns[:, 0]).float().reshape(-1, 2), hits.float())
    outside = (far.min(dim=1).values >= 2 + 3 + 1).reshape(size)
    assert torch.equal(found[0][outside], before[0].expand(*size, found.shape[-1])[outside])
    assert not torch.equal(found[0][mask[0] > 0][:, :3], before[0].expand(*size, found.shape[-1])[mask[0] > 0][:, :3])


@pytest.mark.parametrize(("count", "masks"), [(3, 1), (1, 3), (3, 3)])
def test_pictures_and_masks_come_in_batches(nodes, vae, count, masks, generator):
    image, mask = pictures_and_mask(generator, (70, 90), count=count, masks=masks)
    latent, stitch, _ = inpaint(nodes, image, mask, vae, grow=0, feather=0)
    assert len(latent["samples"]) == len(latent["noise_mask"]) == 3
    size = [8 * side for side in latent["samples"].shape[-2:]]
    found = stitched(nodes, torch.rand(3, *size, 3, generator=generator), stitch)
    for index in range(3):
        kept = mask[index % masks] == 0
        assert torch.equal(found[index][kept], image[index % count][kept])
        assert not torch.equal(found[index][~kept], image[index % count][~kept])


def test_several_paintings_of_one_picture_give_several_pictures(nodes, vae, generator):
    image, mask = pictures_and_mask(generator, (48, 48))
    _, stitch, region = inpaint(nodes, image, mask, vae)
    found = stitched(nodes, torch.rand(5, *region.shape[1:], generator=generator), stitch)
    assert found.shape == (5, 48, 48, 3)
    assert len({each.sum().item() for each in found}) == 5


def test_an_empty_mask_says_so_and_returns_the_picture_bit_for_bit(nodes, vae, generator, caplog):
    image = torch.rand(1, 50, 70, 3, generator=generator)
    empty = torch.zeros(1, 64, 64)  # what Load Image hands on for a picture without transparency
    latent, stitch, region = inpaint(nodes, image, empty, vae)
    assert "nothing will be repainted" in caplog.text
    assert not latent["noise_mask"].any()
    assert torch.equal(stitched(nodes, torch.full_like(region, 1e30), stitch), image)


def test_a_full_mask_repaints_the_whole_picture(nodes, vae, generator):
    image = torch.rand(1, 64, 64, 3, generator=generator)
    latent, stitch, region = inpaint(nodes, image, torch.ones(1, 64, 64), vae)
    assert latent["noise_mask"].all() and region.shape == image.shape
    painted = torch.rand(1, 64, 64, 3, generator=generator)
    assert torch.equal(stitched(nodes, painted, stitch), painted)


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (1, 1, 64, 64), (1, 128, 128), (1, 32, 32)])
def test_a_mask_of_any_form_and_size_is_fitted(nodes, vae, shape, generator):
    image = torch.rand(1, 64, 64, 3, generator=generator)
    mask = torch.zeros(shape)
    mask[..., : shape[-2] // 2, :] = 1
    latent, _, _ = inpaint(nodes, image, mask, vae, grow=0, feather=0, context=10.0)
    assert latent["noise_mask"][0, 0].mean(dim=1).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_half_precision_pictures_stay_half_and_untouched(nodes, vae, generator):
    image, mask = pictures_and_mask(generator, (48, 48))
    image = image.half()
    _, stitch, region = inpaint(nodes, image, mask, vae, grow=0, feather=0)
    found = stitched(nodes, torch.rand(region.shape, generator=generator), stitch)
    assert found.dtype == torch.float16
    assert torch.equal(found[0][mask[0] == 0], image[0][mask[0] == 0])


def test_untouched_crops_come_back_as_the_picture(nodes, vae, generator):
    image, mask = pictures_and_mask(generator, (331, 517), count=2)
    _, stitch, region = inpaint(nodes, image, mask, vae, megapixels=0.0)
    assert torch.equal(stitched(nodes, region, stitch), image)


def test_a_gain_and_an_offset_of_the_result_are_taken_back(nodes, vae, generator):
    image, mask = pictures_and_mask(generator, (48, 48))
    image = 0.25 + image / 2
    _, stitch, region = inpaint(nodes, image, mask, vae, megapixels=0.0)
    drifted = region * 0.9 + 0.05
    torch.testing.assert_close(stitched(nodes, drifted, stitch), image, atol=1e-6, rtol=0)
    assert not torch.allclose(stitched(nodes, drifted, stitch, 0.0), image, atol=1e-3)


@pytest.mark.parametrize("channels", [3, 4])
def test_outpaint_keeps_the_old_picture_and_paints_the_rest(nodes, vae, channels, generator):
    image = torch.rand(1, 50, 71, channels, generator=generator)
    latent, stitch, region = outpaint(nodes, image, vae, left=13, top=5, right=40, bottom=1)
    painted = torch.rand(region.shape, generator=generator)
    found = stitched(nodes, painted, stitch, 0.0)
    assert found.shape == (1, 56, 124, channels)
    old = found[:, 5:55, 13:84]
    assert torch.equal(old[:, 8:-8, 8:-8], image[:, 8:-8, 8:-8])
    if channels == 4:
        assert (found[:, :, :13, 3] == 1).all()
    assert latent["noise_mask"].any() and not latent["noise_mask"].all()


def test_outpaint_reaches_a_ratio_and_says_when_there_is_nothing_to_do(nodes, vae, generator, caplog):
    image = torch.rand(2, 40, 40, 3, generator=generator)
    _, stitch, region = outpaint(nodes, image, vae, ratio="3:2", anchor="left or top", feather=0, left=999)
    found = stitched(nodes, torch.rand(region.shape, generator=generator), stitch)
    assert found.shape == (2, 40, 60, 3)
    assert torch.equal(found[:, :, :40], image)
    _, stitch, region = outpaint(nodes, image, vae, ratio="1:1")
    assert "nothing will be painted" in caplog.text
    assert torch.equal(stitched(nodes, torch.rand(region.shape, generator=generator), stitch), image)


@pytest.mark.parametrize(
    ("size", "megapixels", "sides"),
    [
        ((331, 517), 0.004, (80, 48)),
        ((1, 1), 0.004, (64, 64)),
        ((331, 517), 0.0, (512, 320)),
        ((64, 64), 0.0, (64, 64)),
    ],
)
def test_image_to_image_brings_any_size_to_the_area(nodes, vae, size, megapixels, sides, generator):
    image = torch.rand(2, *size, 4, generator=generator)
    latent, width, height = nodes.ZImageImageToImage.execute(image, vae, megapixels, 3).result
    assert (width, height) == sides
    samples = latent["samples"]
    assert samples.shape == (6, 16, height // 8, width // 8)
    assert torch.equal(samples[:2], samples[2:4]) and torch.equal(samples[:2], samples[4:])


def test_image_to_image_at_the_pictures_own_size_is_plain_encoding(pack, nodes, vae, generator):
    image = torch.rand(1, 64, 64, 3, generator=generator)
    expected = pack.bridge_images.encode(vae, image)["samples"]
    for megapixels in (0.0, 64 * 64 / 1024**2):
        latent, *_ = nodes.ZImageImageToImage.execute(image, vae, megapixels, 1).result
        assert torch.equal(latent["samples"], expected)


def test_bad_input_gets_a_sentence(nodes, vae, generator):
    image, mask = pictures_and_mask(generator, (32, 32))

    class Sdxl:
        first_stage_model, latent_channels = object(), 4

        def spacial_compression_decode(self):
            return 8

    def image_to_image(image, vae):
        return nodes.ZImageImageToImage.execute(image, vae, 1.0, 1)

    for call in (image_to_image, lambda i, v: inpaint(nodes, i, mask, v), lambda i, v: outpaint(nodes, i, v, left=8)):
        with pytest.raises(ValueError, match="latents of 4 channels"):
            call(image, Sdxl())
        with pytest.raises(ValueError, match="No VAE is connected"):
            call(image, None)
        with pytest.raises(ValueError, match="There is no picture"):
            call(image[:0], vae)
    for nothing in (None, mask[:0]):
        with pytest.raises(ValueError, match="There is no mask"):
            inpaint(nodes, image, nothing, vae)
    with pytest.raises(ValueError, match="2 pictures and 3 masks"):
        inpaint(nodes, image.repeat(2, 1, 1, 1), mask.repeat(3, 1, 1), vae)
    _, stitch, region = inpaint(nodes, image.repeat(2, 1, 1, 1), mask, vae)
    with pytest.raises(ValueError, match="3 results cannot be shared out to 2 pictures"):
        stitched(nodes, region[:1].repeat(3, 1, 1, 1), stitch)
    with pytest.raises(ValueError, match="is not the region"):
        stitched(nodes, region[:, :, :32], stitch)
    with pytest.raises(ValueError, match="There is no stitch"):
        stitched(nodes, region, None)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        nodes.ZImageImageToImage.execute(image[:, :9], vae, 0.0, 1)
