"""What a folder's pictures are: identity, the report's model-free measures, technical quality, and what is damaged."""

from .columns import COLUMNS, Column
from .folder_walk import Found, list_folder
from .profile import ProfileParameters, profile_stage
from .profile_page import write_page

__all__ = ["COLUMNS", "Column", "Found", "ProfileParameters", "list_folder", "profile_stage", "write_page"]
