"""What ComfyUI's own network (`NextDiT`) tells anyone who looks at it, on ours: other nodes read these attributes.

`rope_embedder` and the inner steps of native's forward (`patchify_and_embed` and the like) are left out on purpose: our
forward does not call them, so a node that replaces one must fail loudly instead of doing nothing.
"""

from typing import Any

from ....zimage_core.config import SEQUENCE_MULTIPLE, TIME_SCALE, DiTConfig
from ....zimage_core.model import Block

AXES_LENS = [1536, 512, 512]  # model_detection.py; native only stores it


def network_names(config: DiTConfig) -> dict[str, Any]:
    """Attributes of the network; parts that this network does not have are None, as native has them."""
    names = {
        "in_channels": config.in_channels,
        "out_channels": config.in_channels,
        "patch_size": config.patch_size,
        "time_scale": TIME_SCALE,
        "pad_tokens_multiple": SEQUENCE_MULTIPLE,
        "clip_text_pooled_proj": None,
        "axes_dims": list(config.axes_dims),
        "axes_lens": AXES_LENS,
        "dim": config.dim,
        "n_heads": config.n_heads,
    }
    without_vision = dict.fromkeys(("siglip_embedder", "siglip_refiner", "siglip_pad_token"))
    return names if config.siglip_feat_dim is not None else {**names, **without_vision}


def name_block(block: Block, index: int, config: DiTConfig) -> None:
    """Give block `index` of a stack native's attributes."""
    heads = {"n_kv_heads", "n_local_heads", "n_local_kv_heads"}
    attention = {**dict.fromkeys(heads, config.n_heads), "n_rep": 1, "head_dim": config.head_dim, "qk_norm": True}
    own = {"dim": config.dim, "head_dim": config.head_dim, "layer_id": index}
    for name, value in {**own, "modulation": hasattr(block, "adaLN_modulation")}.items():
        setattr(block, name, value)
    for name, value in attention.items():
        setattr(block.attention, name, value)
