"""A linear decoder that exists is found exactly, and no other has a smaller error."""

import torch
from torch.nn.functional import interpolate

from zimage_core.vae.linear_decoder import decode_linear, fit_linear_decoder


def test_a_linear_decoder_is_recovered_from_its_pictures(generator):
    latents = torch.randn(4, 4, 7, 6, generator=generator)
    weights = {"weight": torch.randn(48, 4, 3, 3, generator=generator), "bias": torch.randn(48, generator=generator)}
    fitted = fit_linear_decoder(latents, decode_linear(latents, weights))
    for name, truth in weights.items():
        torch.testing.assert_close(fitted[name], truth, rtol=1e-4, atol=1e-4)


def test_pixels_stand_in_their_cell(generator):
    """Where only the middle of the kernel is set, a cell's pixels are its own value, as nearest interpolation gives."""
    latents = torch.randn(1, 3, 5, 4, generator=generator)
    weight = torch.zeros(48, 3, 3, 3)
    for channel in range(3):
        weight[channel * 16 : (channel + 1) * 16, channel, 1, 1] = 1
    pictures = decode_linear(latents, {"weight": weight, "bias": torch.zeros(48)})
    assert torch.equal(pictures, interpolate(latents, scale_factor=4))


def test_the_residual_of_the_fit_is_orthogonal_to_every_latent(generator):
    """The normal equations of least squares, on pictures no linear decoder gives."""
    latents = torch.randn(2, 2, 6, 6, generator=generator)
    pictures = torch.randn(2, 3, 24, 24, generator=generator)
    residual = pictures - decode_linear(latents, fit_linear_decoder(latents, pictures))
    cells = residual.unfold(2, 4, 4).unfold(3, 4, 4).flatten(-2)  # b 3 h w 16
    assert cells.sum((0, 2, 3)).abs().max() < 1e-3
    assert torch.einsum("bohwp,bchw->cop", cells, latents).abs().max() < 1e-3
