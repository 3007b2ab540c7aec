"""A folder of hundreds of pictures, profiled and deduplicated in memory, by the same functions and without libraries.

What `engine` runs from parquet to parquet for any number of pictures, this does for as many as a person looks through.
"""

from .conditions import Condition, condition_of, conditions_in, left_out
from .copies import Copy, Seen, copies_among, seen
from .profile import Profile, pictures_of, profile_of, row_of_picture, scored_row
from .profile_page import profile_page

__all__ = [
    "Condition",
    "Copy",
    "Profile",
    "Seen",
    "condition_of",
    "conditions_in",
    "copies_among",
    "left_out",
    "pictures_of",
    "profile_of",
    "profile_page",
    "row_of_picture",
    "scored_row",
    "seen",
]
