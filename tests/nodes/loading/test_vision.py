"""Our CLIP_VISION against ComfyUI's own tower on the same weights, and other vision encoders.

ComfyUI's layer norms have epsilon 1e-5 where the published tower's have 1e-6; it is given the published one here.
"""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import tiny
from zimage_core.config import SIGLIP2_SO400M
from zimage_core.vision import Siglip2

CONFIGS = {"tiny": tiny.VISION, "released widths, two layers": replace(SIGLIP2_SO400M, n_layers=2)}


@pytest.fixture(scope="module", params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture(scope="module")
def weights(config):
    """Values that float16 holds exactly: ComfyUI keeps vision towers in it, but for stock's last norm."""
    return {key: tensor.half().float() for key, tensor in tiny.fill(Siglip2(config)).state_dict().items()}


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("vision") / "siglip2.safetensors"
    save_file(weights, path)
    return str(path)


@pytest.fixture(scope="module")
def ours(pack, file):
    return pack.bridge_vision.load_vision(file)


@pytest.fixture(scope="module")
def stock(comfy, config, weights):
    """ComfyUI's class of the same widths; its loader only knows the released ones."""
    from comfy.clip_vision import ClipVisionModel

    model = ClipVisionModel(
        {
            "model_type": "siglip2_vision_model",
            "num_channels": 3,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": config.dim,
            "image_size": -1,
            "intermediate_size": config.ffn_dim,
            "num_attention_heads": config.n_heads,
            "num_hidden_layers": config.n_layers,
            "patch_size": config.patch_size,
            "num_patches": config.n_positions,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        }
    )
    missing, unexpected = model.load_sd(dict(weights))
    assert not missing
    assert not unexpected
    for layer in model.model.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            layer.eps = config.norm_eps
    return model


@pytest.mark.slow
@pytest.mark.parametrize("stretch", [1, 2])
def test_pictures_of_whole_patches_show_what_they_show_stocks_tower(ours, stock, config, stretch, generator):
    """Only such pictures: stock resizes in floating point what the published processor resizes in 8 bits."""
    size = 16 * config.side // stretch, 16 * config.side * stretch
    levels = torch.randint(0, 256, (2, *size, 3), generator=generator)
    found, expected = (each.encode_image(levels / 255) for each in (ours, stock))
    torch.testing.assert_close(found.last_hidden_state, expected.last_hidden_state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.image_embeds, expected.image_embeds, atol=1e-5, rtol=1e-5)
    penultimate = found.penultimate_hidden_states, expected.penultimate_hidden_states
    torch.testing.assert_close(*penultimate, atol=1e-5, rtol=1e-5)
    assert list(map(tuple, found.image_sizes)) == list(map(tuple, expected.image_sizes))


@pytest.mark.slow
def test_resized_pictures_differ_from_stocks_by_no_more_than_a_level(ours, stock, generator):
    picture = torch.randint(0, 256, (1, 120, 200, 3), generator=generator) / 255
    found, expected = (each.encode_image(picture).last_hidden_state for each in (ours, stock))
    assert found.shape == expected.shape
    assert (found - expected).abs().mean() < 0.02 * expected.std()


def test_the_tower_is_managed_as_stocks_is(comfy, ours, stock):
    from comfy import model_management

    ours.encode_image(torch.zeros(1, 32, 32, 3))
    assert any(loaded.model is ours.patcher for loaded in model_management.current_loaded_models)
    assert ours.patcher.model_size() == pytest.approx(stock.patcher.model_size(), rel=0.01)


def test_a_stock_vision_encoder_is_used_too(pack, stock, generator):
    picture = torch.rand(1, 32, 48, 3, generator=generator)
    seen = pack.bridge_vision.encode_picture(stock, picture)
    assert torch.equal(seen.last_hidden_state, stock.encode_image(picture).last_hidden_state)


def test_another_vision_encoder_is_refused_with_a_sentence(comfy, pack):
    from comfy.clip_vision import ClipVisionModel

    clip = ClipVisionModel(
        {
            "model_type": "clip_vision_model",
            "num_channels": 3,
            "hidden_act": "quick_gelu",
            "hidden_size": 32,
            "image_size": 28,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
            "patch_size": 14,
            "projection_dim": 8,
        }
    )
    with pytest.raises(ValueError, match="This vision model is a clip_vision_model of width 32, but Z-Image looks"):
        pack.bridge_vision.encode_picture(clip, torch.zeros(1, 32, 32, 3))


def test_a_wrong_file_is_named_for_what_it_is(pack, tmp_path):
    save_file(tiny.vae().state_dict(), tmp_path / "ae.safetensors")
    with pytest.raises(ValueError, match=r"ae\.safetensors is a Z-Image autoencoder"):
        pack.bridge_vision.load_vision(str(tmp_path / "ae.safetensors"))
