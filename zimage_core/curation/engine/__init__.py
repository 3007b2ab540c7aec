"""How a stage runs: partition by partition under Daft, resumable, its output whole or not there."""

from .libraries import MissingLibraryError, arrow, parquet
from .listing import write_listing
from .output import Record, check_replaceable, read_record, record_of_stage
from .stage import PartitionsFailedError, Progress, Stage, file_digest, is_done, run_stage
from .stopping import unless_stopped

__all__ = [
    "MissingLibraryError",
    "PartitionsFailedError",
    "Progress",
    "Record",
    "Stage",
    "arrow",
    "check_replaceable",
    "file_digest",
    "is_done",
    "parquet",
    "read_record",
    "record_of_stage",
    "run_stage",
    "unless_stopped",
    "write_listing",
]
