"""The autoencoder's latent spaces, its strips, and the memory it is counted to need."""

import pytest
import torch

import tiny
from memory import peak_bytes
from zimage_core.checkpoints import VAE, load_vae
from zimage_core.config import FLUX_VAE, VAEConfig
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import held_out_scenes
from zimage_core.nano.files import file_of
from zimage_core.vae import (
    Autoencoder,
    decode_budget_bytes,
    decode_peak_bytes,
    decode_within,
    encode_budget_bytes,
    from_images,
    in_strips,
    strips,
    strips_ram_bytes,
    to_images,
)
from zimage_core.vae.activation_bytes import encoding


def test_model_space_is_shifted_and_scaled_raw_space(generator):
    vae, picture = tiny.vae(), torch.rand(1, 3, 32, 48, generator=generator) * 2 - 1
    raw = vae.posterior(picture).mean
    torch.testing.assert_close(vae.encode(picture), (raw - 0.1159) * 0.3611)
    torch.testing.assert_close(vae.decode(vae.encode(picture)), vae.decoder(raw), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(33, 32), (32, 12), (0, 16)])
def test_sides_that_are_no_multiples_of_8_are_refused(size):
    with pytest.raises(ValueError, match="multiples of 8"):
        tiny.vae().encode(torch.zeros(1, 3, *size))


def most_alive(steps):
    """Values in feature maps at the peak."""
    return max(step.alive for step in steps)


WIDTHS = {"plain": tiny.VAE, "uneven": VAEConfig(encoder_widths=(16, 16, 48, 64), decoder_widths=(16, 48, 32, 64))}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(4, 4), (8, 24), (20, 12)])
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_memory_estimates_are_what_is_really_allocated(widths, size, dtype):
    config = WIDTHS[widths]
    vae = tiny.fill(Autoencoder(config)).to(dtype)
    latent = torch.zeros(1, 16, *size, dtype=dtype)
    picture = torch.zeros(1, 3, *(8 * side for side in size), dtype=dtype)
    decoded, encoded = peak_bytes(lambda: vae.decoder(latent)), peak_bytes(lambda: vae.encoder(picture))
    assert decode_peak_bytes(config, size, dtype) == pytest.approx(decoded, rel=0.05)
    assert dtype.itemsize * most_alive(encoding(config, size)) == pytest.approx(encoded, rel=0.05)


def test_a_megapixel_takes_what_the_architecture_says():
    """Five maps of 128 channels at full size for decoding, three for encoding; half as much again for copies."""
    full_map, size = 128 * 1024 * 1024 * 2, (128, 128)
    assert decode_peak_bytes(FLUX_VAE, size, torch.bfloat16) == 5 * full_map
    assert 2 * most_alive(encoding(FLUX_VAE, size)) == 3 * full_map
    assert decode_budget_bytes(FLUX_VAE, size, torch.bfloat16) == 8.5 * full_map
    assert encode_budget_bytes(FLUX_VAE, size, torch.bfloat16) == 5 * full_map


def test_overwriting_changes_no_bit_and_no_gradient(generator):
    """With gradients nothing is overwritten."""
    vae, latent = tiny.vae(), torch.randn(1, 16, 4, 6, generator=generator)
    picture = torch.randn(1, 3, 32, 48, generator=generator)
    with torch.no_grad():
        decoded, encoded = vae.decode(latent), vae.encode(picture)
    assert torch.equal(vae.decode(latent), decoded)
    assert torch.equal(vae.encode(picture), encoded)
    block = next(iter(vae.decoder.up[0].block)).double()
    x = torch.randn(1, 32, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x, fast_mode=True)


def test_the_memory_format_changes_rounding_only(generator):
    vae, latent = tiny.vae(), torch.randn(1, 16, 8, 12, generator=generator)
    with torch.inference_mode():
        expected = vae.decode(latent)
        found = vae.to(memory_format=torch.channels_last).decode(latent)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_attention_gets_channels_side_by_side_as_fast_kernels_demand(memory_format, monkeypatch):
    from zimage_core.vae import autoencoder

    seen = []

    def attend(q, k, v):
        seen.extend(tensor.is_contiguous() for tensor in (q, k, v))
        return q[:, 0]

    monkeypatch.setattr(autoencoder, "attention_in_slices", attend)
    with torch.inference_mode():
        tiny.vae().to(memory_format=memory_format).decode(torch.zeros(1, 16, 4, 6))
    assert seen == [True] * 3


@pytest.fixture(scope="module")
def scenes():
    """Real pictures, larger than the nano autoencoder was trained on, and odd in shape."""
    drawn = [render(scene, seed=3, size=(208, 208)) for scene in held_out_scenes()[::60][:2]]
    return from_images(drawn)[..., :144]


def largest_convolution_input(vae, run):
    """Values the largest of all convolutions is given."""
    seen = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].numel()))
        for layer in vae.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    out = run()
    for hook in hooks:
        hook.remove()
    return max(seen), out


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "worst"), [(torch.float32, 1e-3), (torch.bfloat16, 0.5)])
def test_row_by_row_leaves_no_seams_and_gives_the_whole_picture(dtype, worst, scenes):
    """Mean and largest difference in levels of 255; in bfloat16 it is the rounding of another order of operations."""
    vae, pictures = load_vae(file_of(VAE), dtype), scenes.to(dtype)
    with torch.inference_mode():
        latent = vae.posterior(pictures).mean
        at_once, whole = largest_convolution_input(vae, lambda: vae.decoder(latent))
        largest, found = largest_convolution_input(vae, lambda: in_strips(vae.decoder, latent, 1 << 20))
        encoded = in_strips(vae.encoder, pictures, 1 << 20).chunk(2, dim=1)[0]
    assert largest < at_once / 3
    difference = (found - whole).abs().float() * 127.5
    assert difference.mean() < worst
    assert difference.max() < 10 * worst
    assert (encoded - latent).abs().max() < latent.abs().max() * torch.finfo(dtype).eps * 20


def test_the_ram_of_strips_is_that_of_the_maps_they_go_through(generator, monkeypatch):
    vae, latent, seen = tiny.vae(), torch.randn(1, 16, 24, 24, generator=generator), []
    original = strips.map_strips

    def watched(process, x, cut):
        out = original(process, x, cut)
        seen.append((x.numel() + out.numel()) * x.itemsize)
        return out

    monkeypatch.setattr(strips, "map_strips", watched)
    in_strips(vae.decoder, latent, 1 << 20)
    counted = strips_ram_bytes(vae.config, (24, 24), torch.float32)
    assert max(seen) <= counted <= 2 * max(seen)


def test_decoding_within_a_budget_is_whole_where_it_fits_and_row_by_row_where_not(generator):
    vae, latent, seen = tiny.vae(), torch.randn(1, 16, 24, 24, generator=generator), []
    whole = decode_budget_bytes(vae.config, (24, 24), torch.float32)
    with torch.inference_mode():
        expected = vae.decode(latent)
    assert torch.equal(decode_within(vae, latent, whole), expected)
    found = decode_within(vae, latent, whole // 8, lambda done, total: seen.append((done, total)))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert seen == [(index + 1, 18) for index in range(18)]  # three, then four times three, and three changes


def test_images_survive_the_way_through_tensors():
    from PIL import Image

    image = Image.effect_mandelbrot((32, 16), (-2, -1, 1, 1), 50).convert("RGB")
    assert to_images(from_images([image]))[0].tobytes() == image.tobytes()
