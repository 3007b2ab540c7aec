"""Datasets on disk: what one part of the library writes and another one learns from."""

from .buckets import bucket_size, fit_to_size
from .dataset import read_dataset
from .edit_pairs import holds_pairs, read_pair_folders, read_pairs
from .example import Example, ReadDataset, hash_of
from .manifest import ManifestExamples, read_manifest
from .named import Named
from .picture_files import PICTURE_ENDINGS, is_picture
from .picture_folder import read_picture_folder
from .subsets import Joined

__all__ = [
    "PICTURE_ENDINGS",
    "Example",
    "Joined",
    "ManifestExamples",
    "Named",
    "ReadDataset",
    "bucket_size",
    "fit_to_size",
    "hash_of",
    "holds_pairs",
    "is_picture",
    "read_dataset",
    "read_manifest",
    "read_pair_folders",
    "read_pairs",
    "read_picture_folder",
]
