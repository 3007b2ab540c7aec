"""The FLUX autoencoder."""

from .activation_bytes import decode_budget_bytes, decode_peak_bytes, encode_budget_bytes, encode_peak_bytes
from .autoencoder import Autoencoder, Posterior
from .pictures import crop_to_patches, from_images, shrink_to_area, to_images
from .rows import decode_within, in_rows
from .tiling import decode_tiled, encode_tiled, fit_tile

__all__ = [
    "Autoencoder",
    "Posterior",
    "crop_to_patches",
    "decode_budget_bytes",
    "decode_peak_bytes",
    "decode_tiled",
    "decode_within",
    "encode_budget_bytes",
    "encode_peak_bytes",
    "encode_tiled",
    "fit_tile",
    "from_images",
    "in_rows",
    "shrink_to_area",
    "to_images",
]
