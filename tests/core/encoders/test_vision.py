"""The SigLIP 2 tower by itself: its preprocessing, its files, and the eyes that are not it."""

import pytest
import torch
from safetensors.torch import save_file

import headers
import tiny
from zimage_core import load_vision
from zimage_core.checkpoints import (
    DIT,
    VISION,
    CheckpointError,
    inspect,
    load_dit,
    load_text_encoder,
    load_vae,
)
from zimage_core.checkpoints.networks.vision import VISION_TRANSFORMERS_5
from zimage_core.config import NANO_VISION, SIGLIP2_SO400M, VisionConfig, vision_heads
from zimage_core.vision import Siglip2, grid_of, prepare


def test_widths_and_heads_of_the_released_tower_and_of_the_nano_are_read_from_shapes():
    for config in (SIGLIP2_SO400M, NANO_VISION, tiny.VISION):
        assert VISION.read_config(Siglip2(config, device="meta").state_dict()) == config
    assert [vision_heads(dim) for dim in (768, 1024, 1152, 1536)] == [12, 16, 16, 16]  # all published sizes


def test_the_nano_tower_is_small_enough_to_ship():
    assert sum(parameter.numel() for parameter in Siglip2(NANO_VISION, device="meta").parameters()) * 2 < 200_000


def test_a_config_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="17 positions are not a square"):
        VisionConfig(dim=48, n_layers=2, n_heads=1, ffn_dim=96, n_positions=17)
    with pytest.raises(ValueError, match="dim 50 is not a multiple of n_heads 3"):
        VisionConfig(dim=50, n_layers=2, n_heads=3, ffn_dim=96, n_positions=16)


# Height and width in pixels, rows and columns of patches: the published processor's.
GRIDS = {
    (1024, 1024): (16, 16),
    (768, 1280): (12, 20),
    (832, 1216): (13, 19),
    (1080, 1920): (12, 21),
    (512, 512): (16, 16),
    (1, 1): (7, 7),  # a hundredfold and no more
    (1, 100_000): (1, 256),
}


@pytest.mark.parametrize(("size", "grid"), GRIDS.items(), ids=str)
def test_a_picture_becomes_as_many_whole_patches_as_fit(size, grid):
    assert grid_of(*size, 256, 16) == grid


def test_a_picture_of_the_grids_own_size_keeps_its_levels(generator):
    levels = torch.randint(0, 256, (96, 96, 3), generator=generator)
    pixels = prepare(levels / 255, tiny.VISION)
    assert pixels.dtype == torch.float32
    torch.testing.assert_close(pixels, (levels / 255 * 2 - 1).permute(2, 0, 1), atol=1e-6, rtol=0)


def test_alpha_values_out_of_range_and_number_formats_change_nothing(generator):
    picture = torch.randint(0, 256, (50, 71, 4), generator=generator) / 255
    pixels = prepare(picture[..., :3], tiny.VISION)
    assert torch.equal(prepare(picture, tiny.VISION), pixels)
    assert torch.equal(prepare(picture.double(), tiny.VISION), pixels)
    assert torch.equal(prepare(torch.full((9, 9, 3), 7.0), tiny.VISION), torch.ones(3, 96, 96))


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 0, 3), (10, 10, 1)])
def test_a_picture_that_shows_nothing_is_refused(shape):
    with pytest.raises(ValueError, match="shows nothing; give one with red, green and blue and at least 1x1 pixels"):
        prepare(torch.zeros(shape), tiny.VISION)


@torch.no_grad()
def test_pictures_of_a_batch_do_not_see_each_other(generator):
    tower = tiny.vision()
    pixels = torch.rand(3, 3, 48, 80, generator=generator) * 2 - 1
    features = tower(pixels)
    assert features.shape == (3, 3, 5, 128)
    for picture, feature in zip(pixels, features, strict=True):
        torch.testing.assert_close(tower(picture[None])[0], feature, atol=1e-5, rtol=0)


def test_every_weight_can_be_trained(generator):
    tower = tiny.vision().requires_grad_(True)
    tower(torch.rand(1, 3, 48, 80, generator=generator)).square().sum().backward()
    for name, parameter in tower.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name.endswith("k_proj.bias"), name  # softmax does not see that one


def published(prefix=""):
    """The tower as its own file has it: with the pooling head, which Z-Image does not look at."""
    state = {**tiny.vision().state_dict(), "vision_model.head.probe": torch.zeros(1, 1, 128)}
    return {prefix + key: tensor for key, tensor in state.items()}


def same(network, other):
    state, expected = network.state_dict(), other.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[key], expected[key]) for key in expected)


@pytest.mark.parametrize("prefix", VISION.prefixes)
@pytest.mark.parametrize("layout", ["published", "bare"])
def test_a_tower_loads_from_every_prefix_and_layout(prefix, layout):
    state = published()
    if layout == "bare":
        state = VISION_TRANSFORMERS_5.to_file(state)
        assert "post_layernorm.weight" in state
    assert same(load_vision({prefix + key: tensor for key, tensor in state.items()}), tiny.vision())


def test_a_tower_loads_out_of_a_file_with_its_text_side():
    text = {"text_model.embeddings.position_embedding.weight": torch.zeros(64, 128), "logit_scale": torch.ones(1)}
    assert same(load_vision({**published(), **text}), tiny.vision())


def test_a_tower_loads_from_a_file_and_from_a_pipelines_folder(tmp_path):
    folder = tmp_path / "Z-Image-Omni" / "siglip"
    folder.mkdir(parents=True)
    save_file(published(), folder / "model.safetensors")
    for path in (folder / "model.safetensors", folder, folder.parent):
        assert same(load_vision(path), tiny.vision())


def test_a_tower_is_found_inside_an_all_in_one_checkpoint():
    whole = {f"model.diffusion_model.{key}": tensor for key, tensor in tiny.dit().state_dict().items()}
    assert same(load_vision({**whole, **published("clip_vision.")}), tiny.vision())
    assert load_dit({**whole, **published("clip_vision.")})


def test_another_tower_beside_a_diffusion_model_does_not_get_in_its_way():
    whole = {f"model.diffusion_model.{key}": tensor for key, tensor in tiny.dit().state_dict().items()}
    clip = {"clip_vision.vision_model.embeddings.patch_embedding.weight": torch.zeros(64, 3, 14, 14)}
    assert load_dit({**whole, **clip})
    with pytest.raises(CheckpointError, match=r"is a Z-Image diffusion model .*not a Z-Image vision encoder"):
        load_vision({**whole, **clip})


def test_the_released_tower_is_known_by_its_header(tmp_path):
    shapes = {key: tuple(value.shape) for key, value in Siglip2(SIGLIP2_SO400M, device="meta").state_dict().items()}
    file = headers.write(tmp_path / "model.safetensors", {**shapes, "vision_model.head.probe": (1, 1, 1152)})
    report = inspect(file)
    assert report.networks == (VISION,)
    assert (report.what, report.folder, report.n_layers) == (
        "a Z-Image vision encoder (SigLIP 2)",
        "clip_vision",
        27,
    )
    with pytest.raises(CheckpointError, match=r"model\.safetensors is incomplete: .*download it again"):
        load_vision(file)
    for load in (load_dit, load_text_encoder, load_vae):
        with pytest.raises(CheckpointError, match=r"\(SigLIP 2\) \(it belongs in models/clip_vision\), not a Z-Image"):
            load(file)


def test_a_diffusion_model_in_the_vision_slot_is_told_where_it_belongs():
    with pytest.raises(CheckpointError, match=r"diffusion_models\), not .* choose a file like siglip2_so400m_patch16"):
        load_vision(tiny.dit().state_dict())
    assert VISION is not DIT


def conv(width, patch, n_positions):
    """Another tower, with its convolution and its square of positions."""
    return {
        "vision_model.embeddings.patch_embedding.weight": (width, 3, patch, patch),
        "vision_model.embeddings.position_embedding.weight": (n_positions, width),
        "vision_model.encoder.layers.0.self_attn.k_proj.bias": (width,),
        "vision_model.post_layernorm.weight": (width,),
    }


CLASS = {"vision_model.embeddings.class_embedding": (1,)}
FOREIGN_MODELS = {
    "CLIP-L": ({**conv(1024, 14, 257), **CLASS}, "a CLIP ViT-L vision encoder"),
    "CLIP-H": ({**conv(1280, 14, 257), **CLASS}, "a CLIP ViT-H vision encoder"),
    "CLIP-B": ({**conv(768, 32, 50), **CLASS}, "a CLIP vision encoder"),
    "CLIP of transformers 5": (
        {"embeddings.patch_embedding.weight": (1024, 3, 14, 14), "embeddings.class_embedding": (1024,)},
        "a CLIP vision encoder",
    ),
    "OpenCLIP": (
        {"visual.transformer.resblocks.0.attn.in_proj_weight": (3840, 1280)},
        r"a CLIP vision encoder \(OpenCLIP\)",
    ),
    "SigLIP 384": (conv(1152, 14, 729), r"a SigLIP vision encoder for squares of one size \(patch14\)"),
    "SigLIP 2 512": (conv(1152, 16, 1024), r"a SigLIP vision encoder for squares of one size \(patch16\)"),
    "a whole SigLIP": (
        {**conv(1152, 14, 729), "text_model.head.weight": (1152, 1152)},
        "a whole CLIP or SigLIP, picture and text side",
    ),
    "in a language model": (
        {f"vision_tower.{key}": shape for key, shape in conv(1152, 14, 729).items()},
        "a SigLIP vision encoder for squares of one size",
    ),
    "DINOv2": (
        {
            "embeddings.patch_embeddings.projection.weight": (1024, 3, 14, 14),
            "encoder.layer.0.layer_scale1.lambda1": (1024,),
        },
        "a DINOv2 vision encoder",
    ),
    "DINOv3": (
        {"embeddings.patch_embeddings.weight": (1280, 3, 16, 16), "layer.0.layer_scale1.lambda1": (1280,)},
        "a DINOv3 vision encoder",
    ),
}


@pytest.mark.parametrize("kind", FOREIGN_MODELS)
def test_another_eye_is_refused_by_name(tmp_path, kind):
    tensors, words = FOREIGN_MODELS[kind]
    file = headers.write(tmp_path / "file.safetensors", tensors)
    advice = "Z-Image looks at pictures with SigLIP 2 NaFlex: use siglip2_so400m_patch16_naflex.safetensors"
    with pytest.raises(CheckpointError, match=rf"file\.safetensors is {words}.*, not a Z-Image .*; {advice}") as raised:
        load_vision(file)
    assert "\n" not in str(raised.value)
    report = inspect(file)
    assert (report.networks, report.folder) == ((), "clip_vision")
    assert f"What to do: {advice}" in report.describe()


def test_shapes_that_do_not_fit_are_a_sentence():
    state = published()
    odd = "vision_model.embeddings.position_embedding.weight"
    with pytest.raises(CheckpointError, match="37 positions are not a square"):
        load_vision({**state, odd: torch.zeros(37, 128)})
    del state["vision_model.post_layernorm.bias"]
    with pytest.raises(CheckpointError, match=r"1 missing \(vision_model\.post_layernorm\.bias\)"):
        load_vision(state)
