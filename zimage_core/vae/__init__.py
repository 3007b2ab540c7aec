"""The FLUX autoencoder."""

from .autoencoder import Autoencoder, Posterior
from .pictures import crop_to_patches, from_images, shrink_to_area, to_images
from .tiling import decode_peak_bytes, decode_tiled, decode_within, encode_tiled, fit_tile

__all__ = [
    "Autoencoder",
    "Posterior",
    "crop_to_patches",
    "decode_peak_bytes",
    "decode_tiled",
    "decode_within",
    "encode_tiled",
    "fit_tile",
    "from_images",
    "shrink_to_area",
    "to_images",
]
