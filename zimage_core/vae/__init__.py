"""The FLUX autoencoder."""

from .activation_bytes import decode_budget_bytes, decode_peak_bytes, encode_budget_bytes, strips_ram_bytes
from .autoencoder import Autoencoder, Posterior
from .pictures import crop_to_patches, from_images, shrink_to_area, to_images
from .strips import decode_within, in_strips

__all__ = [
    "Autoencoder",
    "Posterior",
    "crop_to_patches",
    "decode_budget_bytes",
    "decode_peak_bytes",
    "decode_within",
    "encode_budget_bytes",
    "from_images",
    "in_strips",
    "shrink_to_area",
    "strips_ram_bytes",
    "to_images",
]
