"""Datasets on disk: what one part of the library writes and another one learns from."""

from .buckets import bucket_size, fit_to_size
from .example import Example, hash_of
from .picture_files import PICTURE_ENDINGS, is_picture
from .picture_folder import read_picture_folder

__all__ = ["PICTURE_ENDINGS", "Example", "bucket_size", "fit_to_size", "hash_of", "is_picture", "read_picture_folder"]
