"""Models that are not Z-Image's, by their tensors: LoRAs, relatives that would pass for it, and everything else.

The first matching row of a table names the file. Pieces of names come from the published files and from ComfyUI's own
detection (comfy/model_detection.py, comfy/sd.py).
"""

from collections.abc import Mapping

from ..formats.gguf_header import ARCHITECTURE
from ..formats.header import TensorEntry
from ..networks import ADD_ON_NETWORKS, PIPELINE_NETWORKS
from ..networks.signature import FileSignature, first_match
from ..networks.vision import USE_SIGLIP2

USE_LORA_LOADER = "load it with a LoRA loader on top of a Z-Image model"
USE_BF16 = "use z_image_turbo_bf16.safetensors or another common file of the model instead"
USE_QWEN = "Z-Image reads prompts with Qwen3-4B: use qwen_3_4b.safetensors"
USE_FLUX_VAE = "Z-Image needs FLUX.1's autoencoder: use ae.safetensors"


def _loras() -> tuple[FileSignature, ...]:
    pieces = {
        "lokr_w": "a LoKr",
        "hada_w": "a LoHa",
        "oft_blocks": "an OFT adapter",
        **dict.fromkeys((".oft_R", ".oft_r"), "an OFT adapter in PEFT's form, which ComfyUI does not read either"),
        **dict.fromkeys(("lora_down", "lora_up", "lora_A", "lora_B", "lora.down.", "lora_linear_layer."), "a LoRA"),
        ".diff_b\n": "a LoRA of full differences",
    }
    return (
        FileSignature((".a1.weight\n", ".a2.weight\n", ".b1.weight\n"), "a GLoRA", "loras", USE_LORA_LOADER),
        *(FileSignature((piece,), what, "loras", USE_LORA_LOADER) for piece, what in pieces.items()),
    )


AUTOENCODERS: tuple[tuple[int, str], ...] = (
    (4, "Stable Diffusion's, 4 latent channels"),
    (8, "8 latent channels"),
    (32, "FLUX.2's, 32 latent channels"),
    (64, "64 latent channels"),
    (128, "128 latent channels"),
)

# Searched before Z-Image's own networks: some hold whole Z-Image blocks and would pass for the model.
RELATIVES: tuple[FileSignature, ...] = (
    *_loras(),
    *(release for network in ADD_ON_NETWORKS for release in network.releases),
    FileSignature(
        ("attention.to_qkv.qweight",),
        "a Z-Image diffusion model quantised with SVDQuant",
        "diffusion_models",
        "only nunchaku's own nodes can run it; " + USE_BF16,
    ),
    FileSignature((".qweight", ".wscales"), "a model quantised with SVDQuant", "diffusion_models", USE_BF16),
    FileSignature(
        ("dec_net.",),
        "a pixel-space relative of Z-Image (Zeta-Chroma, dec_net)",
        "diffusion_models",
        "the stock Load Diffusion Model runs it, without a VAE",
    ),
    FileSignature(
        ("local_decoder.",),
        "a pixel-space relative of Z-Image (L2P, local_decoder)",
        "diffusion_models",
        USE_BF16,
    ),
    FileSignature(("clip_text_pooled_proj.", "cap_embedder.1."), "a NewBie diffusion model", "diffusion_models"),
    FileSignature(("cap_embedder.1.", "layers.0.adaLN_modulation.1."), "a Lumina-type model (Lumina-Image 2)"),
    FileSignature(
        ("cap_embedder.1.",), "a Lumina-type model (Lumina-Image 2)", width=("cap_embedder.1.weight", 0, 2304)
    ),
    FileSignature(("visual.deepstack_merger_list.",), "a Qwen3-VL vision-language model", "text_encoders", USE_QWEN),
    FileSignature(
        ("visual.", "self_attn.q_proj.bias"), "a Qwen2.5-VL vision-language model", "text_encoders", USE_QWEN
    ),
    FileSignature(("visual.", "linear_attn."), "a Qwen3.5 vision-language model", "text_encoders", USE_QWEN),
    FileSignature(("^model.visual.",), "a vision-language model", "text_encoders", USE_QWEN),
    FileSignature(("^visual.transformer.resblocks.",), "a CLIP vision encoder (OpenCLIP)", "clip_vision", USE_SIGLIP2),
    FileSignature(("^visual.",), "a vision-language model", "text_encoders", USE_QWEN),
    FileSignature(("model.layers.0.", "linear_attn."), "a Qwen3.5 language model", "text_encoders", USE_QWEN),
    FileSignature(("model.layers.0.", "mlp.experts."), "a language model of experts", "text_encoders", USE_QWEN),
    FileSignature(
        ("layers.0.post_feedforward_layernorm.", "self_attn.q_norm"),
        "a Gemma 3 text encoder",
        "text_encoders",
        USE_QWEN,
    ),
    FileSignature(("layers.0.post_feedforward_layernorm.",), "a Gemma 2 text encoder", "text_encoders", USE_QWEN),
    *(
        FileSignature(
            ("layers.0.self_attn.q_norm.",),
            f"a {name} text encoder",
            "text_encoders",
            USE_QWEN,
            ("model.layers.0.input_layernorm.weight", 0, width),
        )
        for name, width in (("Qwen3-0.6B", 1024), ("Qwen3-1.7B", 2048), ("Qwen3-8B", 4096), ("Qwen3-14B or 32B", 5120))
    ),
    *(
        FileSignature((), f"another autoencoder ({whose})", "vae", USE_FLUX_VAE, ("decoder.conv_in.weight", 1, width))
        for width, whose in AUTOENCODERS
    ),
)

DIFFUSION: tuple[tuple[tuple[str, ...], str], ...] = (
    (("double_stream_modulation_img.",), "a FLUX.2 diffusion model"),
    (("distilled_guidance_layer.",), "a Chroma diffusion model"),
    (("txt_in.individual_token_refiner.",), "a Hunyuan Video diffusion model"),
    (("double_blocks.0.",), "a FLUX-type diffusion model"),
    (("single_transformer_blocks.0.",), "a FLUX-type diffusion model"),
    (("joint_blocks.0.",), "a Stable Diffusion 3 model"),
    (("transformer_blocks.0.img_mlp",), "a Qwen-Image model"),
    (("double_layers.0.attn.",), "an AuraFlow model"),
    (("adaln_single.emb.timestep_embedder.", "caption_projection."), "an LTX or PixArt model"),
    (("blocks.0.cross_attn.norm_k",), "a Wan video model"),
    (("time_caption_embed.",), "an OmniGen 2 model"),
    (("blocks.block0.blocks.0.",), "a Cosmos model"),
    (("t_block.1.weight",), "a PixArt model"),
    (("input_blocks.0.", "label_emb.0.0.weight"), "a Stable Diffusion XL model"),
    (("input_blocks.0.",), "a Stable Diffusion model"),
    (("down_blocks.0.resnets.0.", "time_embedding.linear_1."), "a Stable Diffusion model (diffusers' UNet)"),
)

# Searched where none of Z-Image's networks was found.
OTHERS: tuple[FileSignature, ...] = (
    *(
        FileSignature((piece,), "a ControlNet of another model", "controlnet")
        for piece in ("input_hint_block.", "zero_conv")
    ),
    FileSignature(("controlnet_",), "a ControlNet of another model", "controlnet"),
    FileSignature(("ip_adapter.",), "an IP-Adapter"),
    *(FileSignature(pieces, what, "diffusion_models") for pieces, what in DIFFUSION),
    *(other for network in PIPELINE_NETWORKS for other in network.look_alikes),
    FileSignature(("vision_model.head.attention.",), "a SigLIP vision encoder", "clip_vision", USE_SIGLIP2),
    FileSignature(("vision_model.",), "a vision encoder", "clip_vision", USE_SIGLIP2),
    FileSignature(("encoder.layer.0.layer_scale1.",), "a DINOv2 vision encoder", "clip_vision", USE_SIGLIP2),
    FileSignature(("layer.0.layer_scale1.",), "a DINOv3 vision encoder", "clip_vision", USE_SIGLIP2),
    FileSignature(("text_model.",), "a CLIP text encoder", "text_encoders", USE_QWEN),
    FileSignature(("transformer.resblocks.0.",), "a CLIP text encoder (OpenCLIP)", "text_encoders", USE_QWEN),
    FileSignature(("encoder.block.0.layer.0.",), "a T5 text encoder", "text_encoders", USE_QWEN),
    FileSignature(("enc.blk.0.",), "a T5 text encoder", "text_encoders", USE_QWEN),
    FileSignature(("self_attn.k_proj.bias",), "another language model (Qwen2.5)", "text_encoders", USE_QWEN),
    FileSignature(("self_attn.q_proj",), "another language model", "text_encoders", USE_QWEN),
    FileSignature(("blk.0.attn_q.",), "another language model", "text_encoders", USE_QWEN),
    FileSignature(("decoder.middle.0.residual.",), "another autoencoder (Wan's or Qwen-Image's)", "vae", USE_FLUX_VAE),
    FileSignature(("decoder.conv_in.conv.",), "another autoencoder (of a video model)", "vae", USE_FLUX_VAE),
    FileSignature(("decoder.conv_in.",), "another autoencoder", "vae", USE_FLUX_VAE),
    FileSignature(("taesd_",), "a tiny preview autoencoder (TAESD)", "vae_approx", USE_FLUX_VAE),
    FileSignature(("body.0.rdb1.",), "a picture upscaler (ESRGAN)", "upscale_models"),
    FileSignature(("model.1.sub.0.",), "a picture upscaler (ESRGAN)", "upscale_models"),
    FileSignature(("conv_first.",), "a picture upscaler", "upscale_models"),
    FileSignature(("emb_params",), "a textual inversion", "embeddings"),
)

ARCHITECTURES = {  # llama.cpp's names for language models whose tensors all have the same names
    "qwen3vl": "a Qwen3-VL vision-language model",
    "qwen2vl": "a Qwen2.5-VL vision-language model",
    "qwen2": "a Qwen2.5 language model",
    "clip": "the picture side of a vision-language model (mmproj)",
    "t5": "a T5 text encoder",
    "t5encoder": "a T5 text encoder",
    "gemma2": "a Gemma 2 text encoder",
    "gemma3": "a Gemma 3 text encoder",
    "llama": "a Llama language model",
}


def find_relative(entries: Mapping[str, TensorEntry], metadata: Mapping[str, str]) -> FileSignature | None:
    """A LoRA, an add-on or a foreign model that may hold the tensors of a Z-Image network too."""
    return _by_architecture(metadata) or first_match(entries, RELATIVES) or _by_patch_size(entries)


def find_other(entries: Mapping[str, TensorEntry]) -> FileSignature | None:
    """A foreign model that has nothing in common with Z-Image."""
    return first_match(entries, OTHERS)


def _by_architecture(metadata: Mapping[str, str]) -> FileSignature | None:
    """A GGUF file of a language model names its architecture; its tensors do not tell."""
    what = ARCHITECTURES.get(metadata.get(ARCHITECTURE, ""))
    return FileSignature((), what, "text_encoders", USE_QWEN) if what else None


def _by_patch_size(entries: Mapping[str, TensorEntry]) -> FileSignature | None:
    """A Z-Image backbone whose patches are not 2x2 cells of 16 channels."""
    widths = [
        entry.shape[1]
        for key, entry in entries.items()
        if key.endswith(("x_embedder.weight", "x_embedder.2-1.weight"))
        and len(entry.shape) == 2
        and entry.dtype != "U8"
    ]
    if not widths or "cap_embedder.1.weight" not in "\n".join(entries) or 64 in widths:
        return None
    what = f"a relative of Z-Image with patches of {widths[0]} values instead of 64"
    return FileSignature((), what, "diffusion_models", "it draws pixels or other latents and cannot be run here")
