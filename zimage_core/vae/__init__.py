"""The FLUX autoencoder."""

from .autoencoder import Autoencoder, Posterior
from .pictures import from_images, to_images
from .tiling import decode_peak_bytes, decode_tiled, decode_within, encode_tiled, fit_tile

__all__ = [
    "Autoencoder",
    "Posterior",
    "decode_peak_bytes",
    "decode_tiled",
    "decode_within",
    "encode_tiled",
    "fit_tile",
    "from_images",
    "to_images",
]
