"""What a folder's pictures are: identity, the report's model-free measures, technical quality, and what is damaged.

Columns that models give stand beside them where a person names the models.
"""

from .columns import BOTH, COLUMNS, HIGH, LOW, Column
from .folder_walk import Found, list_folder
from .learned import LearnedColumn, LoadedOnce
from .profile import Listings, ProfileParameters, profile_stage
from .profile_page import write_page

__all__ = [
    "BOTH",
    "COLUMNS",
    "HIGH",
    "LOW",
    "Column",
    "Found",
    "LearnedColumn",
    "Listings",
    "LoadedOnce",
    "ProfileParameters",
    "list_folder",
    "profile_stage",
    "write_page",
]
