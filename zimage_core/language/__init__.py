"""Writing text with the encoder that reads the prompts."""

from .chat import chat
from .generate import Writer
from .language_model import LanguageHead, LanguageModel
from .load import load_language_head, load_language_model
from .text_stream import TextStream
from .thinking import Budgets, Marks, Piece, think_and_answer
from .token_choice import GREEDY, Sampling

__all__ = [
    "GREEDY",
    "Budgets",
    "LanguageHead",
    "LanguageModel",
    "Marks",
    "Piece",
    "Sampling",
    "TextStream",
    "Writer",
    "chat",
    "load_language_head",
    "load_language_model",
    "think_and_answer",
]
