"""Datasets on disk: what one part of the library writes and another one learns from."""

from .buckets import bucket_size, fit_to_size
from .example import Example, hash_of
from .picture_folder import PICTURE_ENDINGS, read_picture_folder

__all__ = ["PICTURE_ENDINGS", "Example", "bucket_size", "fit_to_size", "hash_of", "read_picture_folder"]
