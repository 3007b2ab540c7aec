"""Captions of pictures, one by one and of whole folders: who looks at them, and what is asked."""

from .captioners import captioner_names, captioner_state
from .captions import KINDS, LANGUAGES, captions_of, instruction_state, report

__all__ = ["KINDS", "LANGUAGES", "captioner_names", "captioner_state", "captions_of", "instruction_state", "report"]
