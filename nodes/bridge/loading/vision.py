"""Our SigLIP 2 as a ComfyUI CLIP_VISION, and encoding a picture with that or the stock one."""

from collections import deque
from typing import Any

import comfy.model_patcher
import comfy.ops
import torch
from comfy import model_management
from comfy.clip_vision import Output
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ....zimage_core.checkpoints import VISION
from ....zimage_core.vision import Siglip2, prepare
from .pictures import rgb
from .weights import load_weights, open_file

STOCK_KIND = "siglip2_vision_model"  # ComfyUI's name for this vision encoder
ADVICE = "Load siglip2_so400m_patch16_naflex.safetensors with Z-Image Load Vision or the stock Load CLIP Vision."


class ZImageVision:
    """What a CLIP_VISION socket carries: a vision encoder whose memory ComfyUI manages, and `encode_image`."""

    def __init__(self, network: Siglip2, patcher: Any) -> None:
        self.model, self.patcher = network, patcher
        self.load_device = patcher.load_device

    @torch.inference_mode()
    def encode_image(self, image: Tensor, crop: bool = True) -> Output:
        """Vision features (b, n, d) of pictures (b, h, w, c), named as stock's; pictures are never cropped."""
        pixels = torch.stack([prepare(picture, self.model.config) for picture in rgb(image)])  # (b, 3, H, W)
        model_management.load_model_gpu(self.patcher)
        output_device = model_management.intermediate_device()
        last_two = deque(self.model.hidden_states(pixels.to(self.load_device), attend), maxlen=2)
        features = self.model.vision_model.post_layernorm(last_two[-1]).to(output_device)
        out = Output()
        out["last_hidden_state"] = out["image_embeds"] = features.flatten(1, 2)  # without pooling
        out["image_sizes"] = [pixels.shape[1:]] * len(pixels)
        out["penultimate_hidden_states"] = last_two[0].flatten(1, 2).to(output_device)
        out["mm_projected"] = None
        return out


def load_vision(path: str) -> ZImageVision:
    """The CLIP_VISION of a SigLIP 2 file."""
    opened = open_file(path, VISION)
    device, offload_device = model_management.text_encoder_device(), model_management.text_encoder_offload_device()
    dtype = model_management.text_encoder_dtype(device)
    # computes in the pixels' float32 whatever the weights are stored in, as stock's encoders do
    network = Siglip2(opened.config, ops=comfy.ops.manual_cast, device=offload_device, dtype=dtype).eval()
    patcher = comfy.model_patcher.CoreModelPatcher(network, load_device=device, offload_device=offload_device)
    load_weights(network, opened, dtype=dtype, assign=patcher.is_dynamic())
    return ZImageVision(network, patcher)


def encode_picture(clip_vision: Any, picture: Tensor) -> Output:
    """The vision features of one picture (1, h, w, c), by our CLIP_VISION or the stock loader's."""
    kind = getattr(clip_vision, "model_type", type(clip_vision).__name__)
    if not isinstance(clip_vision, ZImageVision) and kind != STOCK_KIND:
        width = getattr(clip_vision, "config", {}).get("hidden_size", "unknown")
        raise ValueError(
            f"This vision model is a {kind} of width {width}, but Z-Image looks at pictures with SigLIP 2 NaFlex. "
            f"{ADVICE}"
        )
    return clip_vision.encode_image(picture)


def attend(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
    """The attention backend chosen at ComfyUI's start, for q, k, v (b, heads, n, d)."""
    return optimized_attention(q, k, v, q.shape[1], skip_reshape=True)
