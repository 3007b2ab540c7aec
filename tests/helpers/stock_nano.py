"""A custom node of the test server: nano in ComfyUI's own network, as Load Diffusion Model brings the released sizes.

Only the time embedding is put in: ComfyUI's network has no setting for its width.
"""

import sys

import comfy.ldm.modules.diffusionmodules.mmdit as mmdit
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models
import comfy.utils
import folder_paths
import torch

STACKS = ("layers.", "noise_refiner.")
FILE = "stock_nano.safetensors"
SETTINGS = {
    **{"image_model": "lumina2", "patch_size": 2, "in_channels": 16, "qk_norm": True, "axes_lens": [1536, 512, 512]},
    **{"rope_theta": 256.0, "ffn_dim_multiplier": 8 / 3, "z_image_modulation": True, "time_scale": 1000.0},
    "pad_tokens_multiple": 32,
}


class StockNano:
    """Loads the file that a test wrote."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "load"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def load(self):
        state = comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise("diffusion_models", FILE))
        dim, features = state["cap_embedder.1.weight"].shape
        head = len(state["layers.0.attention.q_norm.weight"])
        heads = dim // head
        layers, refiners = (len({key.split(".")[1] for key in state if key.startswith(each)}) for each in STACKS)
        axes = [head // 4, head * 3 // 8, head * 3 // 8]
        widths = {
            "axes_dims": axes,
            "dim": dim,
            "cap_feat_dim": features,
            "n_layers": layers,
            "n_refiner_layers": refiners,
            "n_heads": heads,
            "n_kv_heads": heads,
        }
        if "siglip_embedder.0.weight" in state:
            widths["siglip_feat_dim"] = len(state["siglip_embedder.0.weight"])
        config = comfy.supported_models.ZImage({**SETTINGS, **widths})
        modules = [vars(module) for module in list(sys.modules.values())]  # ours knows nano by its latents
        config.latent_format = next(each["NanoLatents"] for each in modules if "NanoLatents" in each)()
        config.set_inference_dtype(torch.float32, None)
        model = comfy.model_base.Lumina2(config)
        width, frequencies = state["t_embedder.mlp.0.weight"].shape
        model.diffusion_model.t_embedder = mmdit.TimestepEmbedder(
            width,
            frequencies,
            output_size=len(state["t_embedder.mlp.2.weight"]),
            dtype=torch.float32,
            operations=config.custom_operations or comfy.ops.disable_weight_init,
        )
        model.diffusion_model.load_state_dict(state)
        cpu = torch.device("cpu")
        return (comfy.model_patcher.CoreModelPatcher(model, load_device=cpu, offload_device=cpu),)


NODE_CLASS_MAPPINGS = {"StockNano": StockNano}
