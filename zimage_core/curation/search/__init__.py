"""The pictures nearest to a picture, to words in an encoder's space, or by what their captions say."""

from .held import nearest, that_say
from .query import ByCaptions, ByVectors
from .search import find_pictures, found_in
from .search_page import write_search_page

__all__ = ["ByCaptions", "ByVectors", "find_pictures", "found_in", "nearest", "that_say", "write_search_page"]
