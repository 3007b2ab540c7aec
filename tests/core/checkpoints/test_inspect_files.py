"""What a file is, told from its header alone: no file here holds a single tensor.

Names and shapes of foreign models are literally those of the published files.
"""

import pytest

import headers
from zimage_core.checkpoints import (
    DIT,
    DIT_DIFFUSERS,
    TEXT_ENCODER,
    VAE,
    CheckpointError,
    inspect,
    load_dit,
    load_text_encoder,
    load_vae,
)
from zimage_core.config import BASE_DIT, FLUX_VAE, QWEN3_4B
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder

LOADERS = {DIT: load_dit, TEXT_ENCODER: load_text_encoder, VAE: load_vae}


def shapes_of(state, prefix=""):
    return {prefix + key: tuple(tensor.shape) for key, tensor in state.items()}


def dit_state():
    return S3DiT(BASE_DIT, device="meta").state_dict()


DIFFUSION = shapes_of(dit_state())
DIFFUSERS = shapes_of(DIT_DIFFUSERS.to_file(dit_state()))
ENCODER = {  # with the last layer and the final norm, which our network does not have
    **shapes_of(Qwen3(QWEN3_4B, device="meta").state_dict()),
    **{
        key.replace("layers.34", "layers.35"): shape
        for key, shape in shapes_of(Qwen3(QWEN3_4B, device="meta").state_dict()).items()
        if "layers.34" in key
    },
    "model.norm.weight": (2560,),
}
AUTOENCODER = shapes_of(Autoencoder(FLUX_VAE, device="meta").state_dict())


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


FLUX = {"double_blocks.0.img_attn.qkv.weight": (9216, 3072), "single_blocks.0.linear1.weight": (21504, 3072)}
QWEN3_8B = {
    "model.embed_tokens.weight": (151936, 4096),
    "model.layers.0.input_layernorm.weight": (4096,),
    "model.layers.0.self_attn.q_norm.weight": (128,),
    "model.layers.0.self_attn.q_proj.weight": (4096, 4096),
}
CONTROL = {"control_all_x_embedder.2-1.weight": (3840, 132), "control_layers.0.after_proj.weight": (3840, 3840)}
UP_BLOCK = {"decoder.up.0.block.0.norm1.weight": (128,)}
FOREIGN_MODELS = {
    "SVDQuant": (
        {
            "layers.0.attention.to_qkv.qweight": ("I8", (11520, 1920)),
            "layers.0.attention.to_qkv.wscales": (60, 11520),
            "cap_embedder.1.weight": (3840, 2560),
        },
        "a Z-Image diffusion model quantised with SVDQuant.*only nunchaku's own nodes",
    ),
    "another SVDQuant": (
        {
            "transformer_blocks.0.qkv_proj.qweight": ("I8", (9216, 1536)),
            "transformer_blocks.0.qkv_proj.wscales": (48, 9216),
        },
        "a model quantised with SVDQuant",
    ),
    "Zeta-Chroma": ({**DIFFUSION, "dec_net.cond_embed.weight": (256, 3840)}, r"pixel-space .*Zeta-Chroma"),
    "L2P": ({**DIFFUSION, "local_decoder.in_proj.weight": (256, 3840)}, r"pixel-space .*L2P"),
    "other patches": ({**DIFFUSION, "x_embedder.weight": (3840, 3072)}, "patches of 3072 values instead of 64"),
    "Lumina 2": (
        {
            "cap_embedder.1.weight": (2304, 2304),
            "layers.0.adaLN_modulation.1.weight": (9216, 1024),
            "layers.0.attention.qkv.weight": (3840, 2304),
        },
        "Lumina-Image 2",
    ),
    "NewBie": (
        {"cap_embedder.1.weight": (2304, 2560), "clip_text_pooled_proj.0.weight": (1024,), **UP_BLOCK},
        "NewBie",
    ),
    "FLUX.1": (FLUX, "FLUX-type"),
    "FLUX.1 of diffusers": ({"single_transformer_blocks.0.proj_out.weight": (3072, 15360)}, "FLUX-type"),
    "FLUX.2": ({**FLUX, "double_stream_modulation_img.lin.weight": (36864, 6144)}, r"FLUX\.2 diffusion"),
    "Chroma": ({**FLUX, "distilled_guidance_layer.in_proj.weight": (5120, 64)}, "Chroma"),
    "Hunyuan Video": (
        {**FLUX, "txt_in.individual_token_refiner.blocks.0.norm1.weight": (3072,)},
        "Hunyuan Video",
    ),
    "Qwen-Image": (
        {
            "transformer_blocks.0.img_mlp.net.0.proj.weight": (12288, 3072),
            "transformer_blocks.0.attn.add_q_proj.weight": (3072, 3072),
        },
        "Qwen-Image model",
    ),
    "Wan": ({"blocks.0.cross_attn.norm_k.weight": (5120,)}, "Wan video"),
    "SD3": ({"joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)}, "Stable Diffusion 3"),
    "SDXL": (
        {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3), "label_emb.0.0.weight": (1280, 2816)},
        "Stable Diffusion XL",
    ),
    "SD1.5": ({"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "a Stable Diffusion model"),
    "Qwen3-VL-4B": (
        {
            "model.layers.0.self_attn.q_norm.weight": (128,),
            "model.layers.0.input_layernorm.weight": (2560,),
            "model.visual.deepstack_merger_list.0.norm.weight": (4096,),
        },
        r"Qwen3-VL vision-language model.*use qwen_3_4b\.safetensors",
    ),
    "Qwen2.5-VL": (
        {"visual.blocks.0.attn.qkv.weight": (3840, 1280), "model.layers.0.self_attn.q_proj.bias": (3584,)},
        "Qwen2.5-VL",
    ),
    "Qwen3-8B": (QWEN3_8B, r"Qwen3-8B text encoder.*use qwen_3_4b\.safetensors"),
    "Qwen3-0.6B": ({**QWEN3_8B, "model.layers.0.input_layernorm.weight": (1024,)}, r"Qwen3-0\.6B"),
    "Gemma 2": (
        {
            "model.layers.0.post_feedforward_layernorm.weight": (2304,),
            "model.layers.0.self_attn.q_proj.weight": (2048, 2304),
        },
        "Gemma 2 text encoder",
    ),
    "T5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, "T5 text encoder"),
    "CLIP": ({"text_model.encoder.layers.0.mlp.fc1.weight": (3072, 768)}, "CLIP text encoder"),
    "SigLIP": ({"vision_model.head.attention.in_proj_weight": (3456, 1152)}, "SigLIP vision"),
    "SD's VAE": ({"decoder.conv_in.weight": (512, 4, 3, 3), **UP_BLOCK}, r"4 latent channels.*use ae\.safetensors"),
    "FLUX.2's VAE": ({"decoder.conv_in.weight": (512, 32, 3, 3), **UP_BLOCK}, r"FLUX\.2's, 32 latent channels"),
    "Wan's VAE": ({"decoder.middle.0.residual.0.gamma": (384, 1, 1, 1)}, "Wan's or Qwen-Image's"),
    "TAESD": ({"taesd_decoder.1.weight": (64, 16, 3, 3)}, "TAESD"),
    "ControlNet 1.0": (
        {**CONTROL, "control_layers.4.after_proj.bias": (3840,)},
        r"Fun ControlNet 1\.0.*ControlNet node for Z-Image",
    ),
    "ControlNet 2.0": ({**CONTROL, "control_layers.14.after_proj.bias": (3840,)}, r"Fun ControlNet 2\.0"),
    "ControlNet 2.1": (
        {
            **CONTROL,
            "control_layers.14.after_proj.bias": (3840,),
            "control_noise_refiner.0.after_proj.weight": (3840, 3840),
        },
        r"Fun ControlNet 2\.1,",
    ),
    "ControlNet lite": (CONTROL, r"Fun ControlNet 2\.1 lite"),
    "ControlNet of SD": ({"control_model.input_hint_block.0.weight": (16, 3, 3, 3)}, "ControlNet of another model"),
    "LoRA": (
        {"diffusion_model.layers.0.attention.to_q.lora_A.weight": (16, 3840)},
        "is a LoRA.*load it with a LoRA loader",
    ),
    "kohya's LoRA": ({"lora_unet_layers_0_attention_to_q.lora_down.weight": (16, 3840)}, "is a LoRA"),
    "LoKr": ({"diffusion_model.layers.0.attention.to_q.lokr_w1": (8, 8)}, "is a LoKr"),
    "LoHa": ({"lycoris_layers_0_attention_to_q.hada_w1_a": (3840, 4)}, "is a LoHa"),
    "upscaler": ({"model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)}, "ESRGAN"),
    "textual inversion": ({"emb_params": (4, 2560)}, "textual inversion"),
    "nobody": ({"something.else": (1,)}, "an unknown model .*begin with something.else"),
    "nothing": ({}, "an unknown model .*0 tensors"),
}


@pytest.mark.parametrize("network", LOADERS, ids=lambda network: network.subfolder)
@pytest.mark.parametrize("kind", FOREIGN_MODELS)
def test_a_foreign_model_is_refused_by_name_in_every_slot(tmp_path, kind, network):
    tensors, words = FOREIGN_MODELS[kind]
    file = headers.write(tmp_path / "file.safetensors", tensors)
    with pytest.raises(CheckpointError, match=words) as raised:
        LOADERS[network](file)
    message = str(raised.value)
    assert message.startswith("file.safetensors is ")
    assert "\n" not in message
    assert f"not a Z-Image {network.name}; " in message
    assert inspect(file).networks == ()


@pytest.mark.parametrize("network", LOADERS, ids=lambda network: network.subfolder)
def test_a_part_in_another_slot_is_told_where_it_belongs(tmp_path, network):
    own = {DIT: DIFFUSION, TEXT_ENCODER: ENCODER, VAE: AUTOENCODER}
    for other in own.keys() - {network}:
        file = headers.write(tmp_path / "file.safetensors", own[other])
        with pytest.raises(CheckpointError) as raised:
            LOADERS[network](file)
        assert f"is a Z-Image {other.name} (it belongs in models/{other.folder})" in str(raised.value)
        assert f"choose a file like {network.example} from models/{network.folder}" in str(raised.value)


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
