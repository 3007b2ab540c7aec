"""What a file is, told from its header alone: no file here holds a single tensor.

Names and shapes of foreign models are literally those of the published files.
"""

import pytest

import headers
from released_headers import AUTOENCODER, DIFFUSION, ENCODER, LOADERS, dit_state, shapes_of
from zimage_core.checkpoints import (
    DIT,
    DIT_DIFFUSERS,
    TEXT_ENCODER,
    VAE,
    CheckpointError,
    inspect,
    load_dit,
    load_vae,
)
from zimage_core.config import NANO_DIT, NANO_OMNI_DIT
from zimage_core.model import S3DiT

DIFFUSERS = shapes_of(DIT_DIFFUSERS.to_file(dit_state()))


@pytest.mark.parametrize(
    ("tensors", "what", "folder", "layers", "parameters"),
    [
        (DIFFUSION, "a Z-Image diffusion model", "diffusion_models", 30, 6_154_908_736),
        (DIFFUSERS, "a Z-Image diffusion model", "diffusion_models", 30, 6_154_908_736),
        (ENCODER, "a Z-Image text encoder", "text_encoders", 36, 4_022_468_096),
        (AUTOENCODER, "a Z-Image autoencoder (VAE)", "vae", 4, 83_819_683),
    ],
    ids=["single file", "diffusers", "text encoder", "autoencoder"],
)
def test_the_released_files_are_known_by_their_headers(tmp_path, tensors, what, folder, layers, parameters):
    """Layers and parameters as published; the bytes are those of the released bf16 files but for their headers."""
    file = headers.write(tmp_path / "model.safetensors", tensors)
    report = inspect(file)
    assert (report.what, report.folder, report.n_layers, report.n_parameters) == (what, folder, layers, parameters)
    assert report.precision == "bfloat16"
    assert report.expected_bytes == file.stat().st_size + 2 * parameters
    assert "INCOMPLETE" in report.describe()


@pytest.mark.parametrize("network", LOADERS, ids=lambda network: network.subfolder)
def test_a_truncated_download_is_told_as_such_and_never_read(tmp_path, network):
    tensors = {DIT: DIFFUSION, TEXT_ENCODER: ENCODER, VAE: AUTOENCODER}[network]
    file = headers.write(tmp_path / "model.safetensors", tensors)
    n_bytes = f"{file.stat().st_size:,} of {headers.header(tensors)[1]:,} bytes"
    with pytest.raises(
        CheckpointError, match=f"model.safetensors is incomplete: {n_bytes} are there; download it again"
    ):
        LOADERS[network](file)


def test_an_all_in_one_checkpoint_is_all_three(tmp_path):
    tensors = {
        **{f"model.diffusion_model.{key}": shape for key, shape in DIFFUSION.items()},
        **{f"text_encoders.qwen3_4b.transformer.{key}": shape for key, shape in ENCODER.items()},
        **{f"vae.{key}": shape for key, shape in AUTOENCODER.items()},
    }
    report = inspect(headers.write(tmp_path / "z_image_aio.safetensors", tensors))
    assert report.networks == (DIT, TEXT_ENCODER, VAE)
    assert report.what.startswith("an all-in-one checkpoint: a Z-Image diffusion model, a Z-Image text encoder")
    assert report.folder == "checkpoints"


def test_omni_is_told_by_its_tensors_whatever_its_name(tmp_path):
    file = headers.write(tmp_path / "z_image_turbo.safetensors", {**DIFFUSION, "siglip_embedder.0.weight": (1152,)})
    assert inspect(file).release.startswith("Omni or Edit (looks at reference pictures")


@pytest.mark.parametrize("config", [NANO_DIT, NANO_OMNI_DIT], ids=["drawing", "editing"])
@pytest.mark.parametrize("to_file", [dict, DIT_DIFFUSERS.to_file], ids=["single file", "diffusers"])
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_nano_is_told_by_its_sizes_whatever_its_name(tmp_path, config, to_file, prefix):
    state = to_file(S3DiT(config, device="meta").state_dict())
    file = headers.write(tmp_path / "z_image_turbo.safetensors", shapes_of(state, prefix))
    assert inspect(file).release == "nano (20 steps, CFG 3); its sizes say so"


@pytest.mark.parametrize(
    ("name", "metadata", "release"),
    [
        ("z_image_turbo_bf16", {}, "Turbo (8 steps, CFG 1); its name says so"),
        ("ZIT_v2", {}, "Turbo (8 steps, CFG 1); its name says so"),
        ("z_image_bf16", {}, "base (28 to 50 steps, CFG 3 to 5); its name says so"),
        ("Z-Image-Base", {}, "base (28 to 50 steps, CFG 3 to 5); its name says so"),
        (
            "z_image_de_turbo_v1_bf16",
            {},
            "Turbo with its distillation undone (about 25 steps, CFG 3); its name says so",
        ),
        ("my_merge", {}, ""),
        (
            "my_merge",
            {"modelspec.title": "Z-Image Turbo merge"},
            "Turbo (8 steps, CFG 1); its header's modelspec.title",
        ),
        ("turbo", {"modelspec.architecture": "z-image/base"}, "base (28 to 50 steps, CFG 3 to 5); its header's"),
    ],
)
def test_turbo_or_base_is_told_by_the_header_then_by_the_name(tmp_path, name, metadata, release):
    file = headers.write(tmp_path / f"{name}.safetensors", DIFFUSION, metadata)
    found = inspect(file).release
    assert found.startswith(release)
    assert bool(found) == bool(release)


def test_formats_are_read_off_types_and_companions(tmp_path):
    """The published mixtures, shares by numbers held."""
    layer = "layers.0.feed_forward.w1"
    cases = {
        "nvfp4": {
            layer + ".weight": ("U8", (10240, 1920)),
            layer + ".weight_scale": ("F8_E4M3", (10240, 240)),
            layer + ".weight_scale_2": ("F32", ()),
        },
        "mxfp8": {
            layer + ".weight": ("F8_E4M3", (10240, 3840)),
            layer + ".weight_scale": ("U8", (10240, 120)),
        },
        "float8_e4m3fn with scales": {
            layer + ".weight": ("F8_E4M3", (10240, 3840)),
            layer + ".weight_scale": ("F32", ()),
            layer + ".comfy_quant": ("U8", (27,)),
        },
        "int8_tensorwise": {
            layer + ".weight": ("I8", (10240, 3840)),
            layer + ".weight_scale": ("F32", (10240, 1)),
        },
    }
    plain = {key: shape for key, shape in DIFFUSION.items() if key != layer + ".weight"}
    for words, tensors in cases.items():
        report = inspect(headers.write(tmp_path / "file.safetensors", {**plain, **tensors}))
        assert report.precision == f"bfloat16 (99%), {words} (1%)"
        assert report.n_parameters == 6_154_908_736
        assert report.what == "a Z-Image diffusion model"


def test_one_shard_speaks_for_all_where_the_others_are_there(tmp_path):
    keys = sorted(DIFFUSERS)
    names = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name, half in zip(names, (keys[::2], keys[1::2]), strict=True):
        headers.write(tmp_path / name, {key: DIFFUSERS[key] for key in half})
    assert inspect(tmp_path / names[1]).n_parameters == 6_154_908_736
    (tmp_path / names[0]).unlink()
    assert inspect(tmp_path / names[1]).n_parameters < 6_154_908_736  # for itself
    with pytest.raises(CheckpointError, match=rf"tells of 2 shards but {names[0]} is not beside it"):
        load_dit(tmp_path / names[1])


def test_longer_than_its_header_says_is_told_too(tmp_path):
    file = headers.write(tmp_path / "file.safetensors", {**AUTOENCODER})
    whole = headers.header(AUTOENCODER)[1]
    with file.open("r+b") as opened:
        opened.truncate(whole + 7)  # a hole; no byte of it is written
    assert "7 bytes more than its header says" in inspect(file).describe()
    with pytest.raises(CheckpointError, match="7 bytes longer than its header says"):
        load_vae(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GGUF" + bytes(40), "a GGUF file: give it the ending .gguf"),
        (b"PK\x03\x04" + bytes(40), "zipped pickle .*never read"),
        (b"\x80\x02" + bytes(40), "pickle .*never read"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    ],
)
def test_what_stands_under_a_false_name_is_told(tmp_path, content, words):
    (tmp_path / "file.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        inspect(tmp_path / "file.safetensors")


def test_pickles_are_refused_unread(tmp_path):
    for ending in (".ckpt", ".pt", ".pth", ".bin"):
        (tmp_path / f"model{ending}").write_bytes(b"\x80\x02cposix\nsystem\n(S'false'\ntR.")
        with pytest.raises(CheckpointError, match=r"pickles never: use a \.safetensors"):
            inspect(tmp_path / f"model{ending}")
