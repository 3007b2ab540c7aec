"""Files of other models, and networks of Z-Image in the wrong loader, are refused by name."""

import pytest

import headers
from released_headers import AUTOENCODER, DIFFUSION, ENCODER, LOADERS
from zimage_core.checkpoints import (
    DIT,
    TEXT_ENCODER,
    VAE,
    CheckpointError,
    inspect,
)

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
    "OFT": ({"lycoris_layers_0_attention_to_q.oft_blocks": (60, 64, 64)}, "is an OFT adapter"),
    "PEFT's OFT": ({"base_model.model.layers.0.attention.to_q.oft_R.weight": (60, 2016)}, "an OFT adapter in PEFT's"),
    "GLoRA": (
        {
            f"lycoris_layers_0_attention_to_q.{name}.weight": shape
            for name, shape in {"a1": (3840, 4), "a2": (4, 3840), "b1": (3840, 4), "b2": (4, 3840)}.items()
        },
        "is a GLoRA",
    ),
    "LoHa": ({"lycoris_layers_0_attention_to_q.hada_w1_a": (3840, 4)}, "is a LoHa"),
    "upscaler": ({"model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)}, "ESRGAN"),
    "textual inversion": ({"emb_params": (4, 2560)}, "textual inversion"),
    "nobody": ({"something.else": (1,)}, "an unknown model .*begin with something.else"),
    "nothing": ({}, "an unknown model .*0 tensors"),
}


@pytest.mark.slow
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
