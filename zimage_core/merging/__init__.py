"""Fine-tunes and LoRAs of one model made into one: weighted sums, TIES, DARE, LoRAs extracted and reduced, search."""

from .extract import Extracted, extracted
from .lora_sum import summed
from .low_rank import approximate, reduced
from .merged_file import write_merged_model
from .method import METHODS, Method, combined
from .opened import OpenedMerge, is_lora, open_merge
from .record import describe_merge, merge_metadata, merge_of
from .source import Merge, Source, parse_source

__all__ = [
    "METHODS",
    "Extracted",
    "Merge",
    "Method",
    "OpenedMerge",
    "Source",
    "approximate",
    "combined",
    "describe_merge",
    "extracted",
    "is_lora",
    "merge_metadata",
    "merge_of",
    "open_merge",
    "parse_source",
    "reduced",
    "summed",
    "write_merged_model",
]
