"""Our VAE against ComfyUI's own on the same random FLUX-shaped weights."""

import pytest
import torch
from safetensors.torch import save_file
from stand_in import GPU, MetaAsGpu, convolution_devices

import tiny
from memory import peak_bytes
from zimage_core.checkpoints import VAE, VAE_DIFFUSERS
from zimage_core.config import FLUX_VAE
from zimage_core.nano.files import file_of
from zimage_core.vae import Autoencoder


@pytest.fixture(scope="module")
def state():
    return tiny.fill(Autoencoder(FLUX_VAE), 2).state_dict()


@pytest.fixture(scope="module")
def our_vae(pack, state, tmp_path_factory):
    file = tmp_path_factory.mktemp("vae") / "ae.safetensors"
    save_file(state, file)
    return pack.bridge_vae.load_vae(str(file))


@pytest.fixture(scope="module")
def native_vae(comfy, state):
    import comfy.sd

    return comfy.sd.VAE(sd=dict(state))


@pytest.mark.slow
def test_pictures_and_latents_are_natives(our_vae, native_vae, generator):
    pictures = torch.rand(2, 48, 64, 3, generator=generator)
    expected = native_vae.encode(pictures)
    torch.testing.assert_close(our_vae.encode(pictures), expected, atol=1e-4, rtol=1e-4)
    latent = torch.randn(2, 16, 6, 8, generator=generator)
    torch.testing.assert_close(our_vae.decode(latent), native_vae.decode(latent), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_nodes_take_either_vae(pack, our_vae, native_vae, generator):
    pictures = torch.rand(1, 50, 71, 4, generator=generator)  # not multiples of 16, and with an alpha channel
    ours, theirs = (pack.bridge_images.encode(vae, pictures) for vae in (our_vae, native_vae))
    assert ours["samples"].shape == (1, 16, 6, 8)
    torch.testing.assert_close(ours["samples"], theirs["samples"], atol=1e-4, rtol=1e-4)
    for vae in (our_vae, native_vae):
        assert pack.bridge_images.decode(vae, ours, 0).shape == (1, 48, 64, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(40, 4), (4, 40)])
def test_tiles_on_request_have_the_whole_pictures_size(pack, our_vae, generator, height, width):
    latent = {"samples": torch.randn(1, 16, height, width, generator=generator)}
    assert pack.bridge_images.decode(our_vae, latent, 256).shape == (1, 8 * height, 8 * width, 3)


@pytest.mark.slow
def test_the_memory_estimate_covers_what_decoding_allocates_and_is_far_below_natives(our_vae, native_vae):
    shape = (1, 16, 12, 12)
    latent = torch.zeros(shape)
    measured = peak_bytes(lambda: our_vae.first_stage_model.decode(latent))
    ours = our_vae.memory_used_decode(shape, torch.float32)
    assert 1.5 * measured < ours < native_vae.memory_used_decode(shape, torch.float32) / 2
    pixels = (1, 3, 96, 96)
    measured = peak_bytes(lambda: our_vae.first_stage_model.encode(torch.zeros(pixels)))
    ours = our_vae.memory_used_encode(pixels, torch.float32)
    assert 1.5 * measured < ours < native_vae.memory_used_encode(pixels, torch.float32) / 2


@pytest.mark.slow
def test_short_of_memory_the_picture_is_the_same_and_no_tile_is_seen(pack, monkeypatch, generator):
    vae = pack.bridge_vae.load_vae(str(file_of(VAE)))
    latent = 3 * torch.randn(1, 16, 40, 36, generator=generator)
    whole = vae.decode(latent)
    asked = pack.bridge_images.decode(vae, {"samples": latent}, 256)
    torch.testing.assert_close(asked, whole, atol=1e-5, rtol=0)

    def full(latent):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(vae.first_stage_model, "decode", full)
    torch.testing.assert_close(vae.decode(latent), whole, atol=1e-5, rtol=0)


def test_tiles_are_computed_where_the_latent_is_though_weights_wait_in_ram(comfy, pack):
    """As under ComfyUI's dynamic VRAM: layers copy their weights to their input's device when they are called."""
    import comfy.ops

    network = pack.bridge_vae.ComfyAutoencoder(tiny.VAE, ops=comfy.ops.manual_cast, dtype=torch.float32, device="cpu")
    seen = convolution_devices(network.decoder)
    with MetaAsGpu():
        picture = network.decode_tiled(torch.zeros(1, 16, 24, 24, device=GPU), tile_x=8, tile_y=8)
    assert set(seen) == {"meta"}
    assert len(seen) > 100  # strips, not the whole map
    assert picture.shape == (1, 3, 192, 192)
    assert picture.device.type == "cpu"


@pytest.mark.slow
def test_a_diffusers_file_loads_too(pack, state, our_vae, tmp_path, generator):
    save_file(VAE_DIFFUSERS.to_file(state), tmp_path / "diffusion_pytorch_model.safetensors")
    other = pack.bridge_vae.load_vae(str(tmp_path / "diffusion_pytorch_model.safetensors"))
    latent = torch.randn(1, 16, 4, 4, generator=generator)
    assert torch.equal(other.decode(latent), our_vae.decode(latent))


def test_another_vae_or_none_is_refused_with_a_sentence(pack, our_vae):
    class Sdxl:
        first_stage_model, latent_channels = object(), 4

        def spacial_compression_decode(self):
            return 8

    with pytest.raises(ValueError, match="latents of 4 channels at 1/8"):
        pack.bridge_images.decode(Sdxl(), {"samples": torch.zeros(1, 16, 4, 4)}, 0)
    with pytest.raises(ValueError, match="No VAE is connected"):
        pack.bridge_images.encode(None, torch.zeros(1, 32, 32, 3))
    with pytest.raises(ValueError, match="another model's VAE"):
        pack.bridge_images.decode(our_vae, {"samples": torch.zeros(1, 4, 4, 4)}, 0)


@pytest.mark.parametrize("size", [(15, 64), (1, 1)])
def test_a_picture_too_small_to_encode_is_refused(pack, our_vae, size):
    with pytest.raises(ValueError, match="at least 16 pixels"):
        pack.bridge_images.encode(our_vae, torch.zeros(1, *size, 3))


def test_comfyuis_channels_last_is_honoured_and_changes_rounding_only(pack, monkeypatch, generator):
    import comfy.model_management

    plain = pack.bridge_vae.load_vae(str(file_of(VAE)))
    monkeypatch.setattr(comfy.model_management, "force_channels_last", lambda: True)
    other = pack.bridge_vae.load_vae(str(file_of(VAE)))
    latent = torch.randn(1, 16, 4, 4, generator=generator)
    assert other.first_stage_model.decoder.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(other.decode(latent), plain.decode(latent), atol=1e-4, rtol=1e-4)


def test_the_encoder_of_any_loader_hears_an_interruption_between_its_layers(pack, native_vae, comfy):
    network, ran = native_vae.first_stage_model, []
    stop = network.encoder.conv_in.register_forward_hook(
        lambda *_: comfy.model_management.interrupt_current_processing()
    )
    counts = [layer.register_forward_hook(lambda *_: ran.append(1)) for layer in pack.bridge_vae.layers_of(network)]
    try:
        with (
            pytest.raises(comfy.model_management.InterruptProcessingException),
            pack.bridge_vae.interruptible(native_vae),
        ):
            native_vae.encode(torch.zeros(1, 16, 16, 3))
    finally:
        comfy.model_management.interrupt_current_processing(False)
        for hook in (stop, *counts):
            hook.remove()
    assert len(ran) == 1
    assert native_vae.encode(torch.zeros(1, 16, 16, 3)).isfinite().all()
    assert not any(layer._forward_pre_hooks for layer in network.modules())
