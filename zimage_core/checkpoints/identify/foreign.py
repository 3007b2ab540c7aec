"""What else lies in an artist's folders, and the pieces of tensor names that give it away.

One table, read from the top; the first row of which every piece occurs names the file. Pieces come from the published
files and from ComfyUI's own detection (comfy/model_detection.py, comfy/sd.py). `^` stands for the start of a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..formats.safetensors_header import Entry

LORA = "load it with a LoRA loader on top of a Z-Image model"
TURN_TO_BF16 = "use z_image_turbo_bf16.safetensors or another common file of the model instead"
CONTROL = "load it with Z-Image Load ControlNet or another ControlNet node for Z-Image, beside the model"
QWEN = "Z-Image reads prompts with Qwen3-4B: use qwen_3_4b.safetensors"
SIGLIP2 = "Z-Image looks at pictures with SigLIP 2 NaFlex: use siglip2_so400m_patch16_naflex.safetensors"
FLUX_VAE = "Z-Image needs FLUX.1's autoencoder: use ae.safetensors"


@dataclass(frozen=True)
class Stranger:
    """A kind of file that is not one of Z-Image's networks, or a relative of them that cannot be run."""

    needs: tuple[str, ...]  # pieces of tensor names; all must occur
    what: str  # with its article
    folder: str = ""  # the models/ folder it belongs in, where ComfyUI has one
    advice: str = ""  # what to do, where choosing another file is not all there is to say
    width: tuple[str, int, int] | None = None  # the end of a tensor's name, one of its axes, and its width there

    def matches(self, names: str, entries: Mapping[str, Entry]) -> bool:
        """Whether a file with these tensors is of this kind; `names` are the tensors' names, one a line."""
        return all(piece.replace("^", "\n") in names for piece in self.needs) and self._has_width(entries)

    def _has_width(self, entries: Mapping[str, Entry]) -> bool:
        if self.width is None:
            return True
        ending, axis, width = self.width
        shapes = [entry.shape for key, entry in entries.items() if key.endswith(ending)]
        return any(len(shape) > axis and shape[axis] == width for shape in shapes)


def stranger_of(entries: Mapping[str, Entry], table: tuple[Stranger, ...]) -> Stranger | None:
    """The first row of a table that names a file with these tensors."""
    names = "\n" + "\n".join(entries) + "\n"
    return next((row for row in table if row.matches(names, entries)), None)


def _loras() -> tuple[Stranger, ...]:
    pieces = {
        "lokr_w": "a LoKr",
        "hada_w": "a LoHa",
        "oft_blocks": "an OFT adapter",
        **dict.fromkeys(("lora_down", "lora_up", "lora_A", "lora_B", "lora.down.", "lora_linear_layer."), "a LoRA"),
        ".diff_b\n": "a LoRA of full differences",
    }
    return tuple(Stranger((piece,), what, "loras", LORA) for piece, what in pieces.items())


CONTROLNETS: tuple[tuple[tuple[str, ...], str], ...] = (  # by their layers: 15, 15, 6 and 3
    (
        ("control_layers.14.", "control_noise_refiner.0.after_proj."),
        "a Z-Image Fun ControlNet 2.1, or 2.0 with an idle refiner",
    ),
    (("control_layers.14.",), "a Z-Image Fun ControlNet 2.0"),
    (("control_layers.4.",), "a Z-Image Fun ControlNet 1.0"),
    ((), "a Z-Image Fun ControlNet 2.1 lite"),
)

AUTOENCODERS: tuple[tuple[int, str], ...] = (
    (4, "Stable Diffusion's, 4 latent channels"),
    (8, "8 latent channels"),
    (32, "FLUX.2's, 32 latent channels"),
    (64, "64 latent channels"),
    (128, "128 latent channels"),
)

# Looked for first: some of them hold whole Z-Image blocks and would pass for the model.
RELATIVES: tuple[Stranger, ...] = (
    *_loras(),
    *(Stranger(("control_all_x_embedder.", *needs), what, "model_patches", CONTROL) for needs, what in CONTROLNETS),
    Stranger(
        ("attention.to_qkv.qweight",),
        "a Z-Image diffusion model quantised with SVDQuant",
        "diffusion_models",
        "only nunchaku's own nodes can run it; " + TURN_TO_BF16,
    ),
    Stranger((".qweight", ".wscales"), "a model quantised with SVDQuant", "diffusion_models", TURN_TO_BF16),
    Stranger(
        ("dec_net.",),
        "a pixel-space relative of Z-Image (Zeta-Chroma, dec_net)",
        "diffusion_models",
        "the stock Load Diffusion Model runs it, without a VAE",
    ),
    Stranger(
        ("local_decoder.",),
        "a pixel-space relative of Z-Image (L2P, local_decoder)",
        "diffusion_models",
        TURN_TO_BF16,
    ),
    Stranger(("clip_text_pooled_proj.", "cap_embedder.1."), "a NewBie diffusion model", "diffusion_models"),
    Stranger(("cap_embedder.1.", "layers.0.adaLN_modulation.1."), "a Lumina-type model (Lumina-Image 2)"),
    Stranger(("cap_embedder.1.",), "a Lumina-type model (Lumina-Image 2)", width=("cap_embedder.1.weight", 0, 2304)),
    Stranger(("visual.deepstack_merger_list.",), "a Qwen3-VL vision-language model", "text_encoders", QWEN),
    Stranger(("visual.", "self_attn.q_proj.bias"), "a Qwen2.5-VL vision-language model", "text_encoders", QWEN),
    Stranger(("visual.", "linear_attn."), "a Qwen3.5 vision-language model", "text_encoders", QWEN),
    Stranger(("^model.visual.",), "a vision-language model", "text_encoders", QWEN),
    Stranger(("^visual.transformer.resblocks.",), "a CLIP vision encoder (OpenCLIP)", "clip_vision", SIGLIP2),
    Stranger(("^visual.",), "a vision-language model", "text_encoders", QWEN),
    Stranger(("model.layers.0.", "linear_attn."), "a Qwen3.5 language model", "text_encoders", QWEN),
    Stranger(("model.layers.0.", "mlp.experts."), "a language model of experts", "text_encoders", QWEN),
    Stranger(
        ("layers.0.post_feedforward_layernorm.", "self_attn.q_norm"), "a Gemma 3 text encoder", "text_encoders", QWEN
    ),
    Stranger(("layers.0.post_feedforward_layernorm.",), "a Gemma 2 text encoder", "text_encoders", QWEN),
    *(
        Stranger(
            ("layers.0.self_attn.q_norm.",),
            f"a {name} text encoder",
            "text_encoders",
            QWEN,
            ("model.layers.0.input_layernorm.weight", 0, width),
        )
        for name, width in (("Qwen3-0.6B", 1024), ("Qwen3-1.7B", 2048), ("Qwen3-8B", 4096), ("Qwen3-14B or 32B", 5120))
    ),
    *(
        Stranger((), f"another autoencoder ({whose})", "vae", FLUX_VAE, ("decoder.conv_in.weight", 1, width))
        for width, whose in AUTOENCODERS
    ),
)

PATCHES = "embeddings.patch_embedding.weight"  # a matrix in SigLIP 2 NaFlex, a convolution of 3 channels elsewhere
CLIPS = ((1024, "ViT-L"), (1280, "ViT-H"), (1664, "ViT-bigG"))  # by width

# Eyes whose tensors have SigLIP 2 NaFlex's names but other shapes: they would pass for it.
TOWERS: tuple[Stranger, ...] = (
    Stranger(
        ("vision_model.", "text_model."),
        "a whole CLIP or SigLIP, picture and text side",
        "clip_vision",
        SIGLIP2,
        (PATCHES, 1, 3),
    ),
    *(
        Stranger(
            ("embeddings.class_embedding",),
            f"a CLIP {name} vision encoder",
            "clip_vision",
            SIGLIP2,
            ("post_layernorm.weight", 0, width),
        )
        for width, name in CLIPS
    ),
    Stranger(("embeddings.class_embedding", PATCHES), "a CLIP vision encoder", "clip_vision", SIGLIP2),
    *(
        Stranger(
            (),
            f"a SigLIP vision encoder for squares of one size (patch{patch})",
            "clip_vision",
            SIGLIP2,
            (PATCHES, 2, patch),
        )
        for patch in (14, 16, 32)
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

OTHERS: tuple[Stranger, ...] = (
    *(
        Stranger((piece,), "a ControlNet of another model", "controlnet")
        for piece in ("input_hint_block.", "zero_conv")
    ),
    Stranger(("controlnet_",), "a ControlNet of another model", "controlnet"),
    Stranger(("ip_adapter.",), "an IP-Adapter"),
    *(Stranger(needs, what, "diffusion_models") for needs, what in DIFFUSION),
    *TOWERS,
    Stranger(("vision_model.head.attention.",), "a SigLIP vision encoder", "clip_vision", SIGLIP2),
    Stranger(("vision_model.",), "a vision encoder", "clip_vision", SIGLIP2),
    Stranger(("encoder.layer.0.layer_scale1.",), "a DINOv2 vision encoder", "clip_vision", SIGLIP2),
    Stranger(("layer.0.layer_scale1.",), "a DINOv3 vision encoder", "clip_vision", SIGLIP2),
    Stranger(("text_model.",), "a CLIP text encoder", "text_encoders", QWEN),
    Stranger(("transformer.resblocks.0.",), "a CLIP text encoder (OpenCLIP)", "text_encoders", QWEN),
    Stranger(("encoder.block.0.layer.0.",), "a T5 text encoder", "text_encoders", QWEN),
    Stranger(("enc.blk.0.",), "a T5 text encoder", "text_encoders", QWEN),
    Stranger(("self_attn.k_proj.bias",), "another language model (Qwen2.5)", "text_encoders", QWEN),
    Stranger(("self_attn.q_proj",), "another language model", "text_encoders", QWEN),
    Stranger(("blk.0.attn_q.",), "another language model", "text_encoders", QWEN),
    Stranger(("decoder.middle.0.residual.",), "another autoencoder (Wan's or Qwen-Image's)", "vae", FLUX_VAE),
    Stranger(("decoder.conv_in.conv.",), "another autoencoder (of a video model)", "vae", FLUX_VAE),
    Stranger(("decoder.conv_in.",), "another autoencoder", "vae", FLUX_VAE),
    Stranger(("taesd_",), "a tiny preview autoencoder (TAESD)", "vae_approx", FLUX_VAE),
    Stranger(("body.0.rdb1.",), "a picture upscaler (ESRGAN)", "upscale_models"),
    Stranger(("model.1.sub.0.",), "a picture upscaler (ESRGAN)", "upscale_models"),
    Stranger(("conv_first.",), "a picture upscaler", "upscale_models"),
    Stranger(("emb_params",), "a textual inversion", "embeddings"),
)
