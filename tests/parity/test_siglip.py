"""Against transformers' SigLIP 2 and its processor, on the same random weights and pictures."""

from dataclasses import replace

import pytest
import torch

import tiny
from zimage_core.checkpoints import load_vision
from zimage_core.config import NANO_VISION, SIGLIP2_SO400M, VisionConfig
from zimage_core.vision import grid_of, prepare

pytest.importorskip("transformers")
pytest.importorskip("torchvision")  # the published processor resizes with it

# Height and width.
SIZES = [(64, 64), (768, 1280), (1080, 1920), (40, 30), (16, 400), (1, 1), (3, 900)]


@pytest.fixture(scope="module")
def processor():
    from transformers.models.siglip2.image_processing_siglip2 import Siglip2ImageProcessor

    return Siglip2ImageProcessor()


def reference(config: VisionConfig):
    from transformers import Siglip2VisionConfig
    from transformers.models.siglip2.modeling_siglip2 import Siglip2VisionModel

    model = Siglip2VisionModel(
        Siglip2VisionConfig(
            hidden_size=config.dim,
            intermediate_size=config.ffn_dim,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            num_patches=config.n_positions,
        )
    )
    return tiny.fill(model)


def picture(size, generator):
    """Noise over a slope, in 8 bits as files have it."""
    noise = torch.randint(0, 128, (*size, 3), generator=generator)
    return (noise + torch.linspace(0, 127, size[1]).round().long()[:, None]) / 255


def published(processor, picture, limit):
    """Patch vectors, padded to the limit as published, and the grid they came from."""
    levels = (picture * 255).round().to(torch.uint8).permute(2, 0, 1)
    return processor(levels, max_num_patches=limit, return_tensors="pt")


@pytest.mark.parametrize("limit", [256, 16])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pixels_are_the_published_processors_bit_by_bit(processor, size, limit, generator):
    shown = picture(size, generator)
    expected = published(processor, shown, limit)
    rows, columns = expected["spatial_shapes"][0].tolist()
    config = replace(NANO_VISION, n_positions=limit)
    assert grid_of(*size, limit, 16) == (rows, columns)
    patches = prepare(shown, config).unfold(1, 16, 16).unfold(2, 16, 16)  # (3, rows, columns, 16, 16)
    patches = patches.permute(1, 2, 3, 4, 0).reshape(rows * columns, -1)
    assert torch.equal(patches, expected["pixel_values"][0, : rows * columns])


@pytest.mark.parametrize("height", [1, 5, 17, 250, 1023])
def test_grids_are_the_published_searchs(height):
    from transformers.models.siglip2.image_processing_siglip2 import get_image_size_for_max_num_patches

    for width in (1, 2, 16, 31, 100, 333, 999, 4096, 100_000):
        for limit in (1, 16, 36, 256):
            expected = get_image_size_for_max_num_patches(height, width, 16, limit)
            assert tuple(16 * side for side in grid_of(height, width, limit, 16)) == expected


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "config",
    [tiny.VISION, NANO_VISION, replace(SIGLIP2_SO400M, n_layers=1)],
    ids=["tiny", "nano", "released widths, one layer"],
)
def test_features_are_transformers_without_its_padding(processor, config, size, generator):
    model = reference(config)
    ours = load_vision(model.state_dict(), torch.float32)
    assert ours.config == config
    shown = picture(size, generator)
    inputs = published(processor, shown, config.n_positions)
    hidden = model(inputs["pixel_values"], inputs["pixel_attention_mask"], inputs["spatial_shapes"]).last_hidden_state
    features = ours(prepare(shown, config)[None])[0]
    rows, columns = inputs["spatial_shapes"][0].tolist()
    assert features.shape == (rows, columns, config.dim)
    torch.testing.assert_close(features.flatten(0, 1), hidden[0, : rows * columns], atol=1e-5, rtol=0)


def test_a_folder_transformers_saved_loads(tmp_path):
    model = reference(tiny.VISION)
    model.save_pretrained(tmp_path)
    found = load_vision(tmp_path).state_dict()
    for key, tensor in model.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(found[f"vision_model.{key}"], tensor), key
