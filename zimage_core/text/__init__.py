"""The text encoder and the way prompts reach it."""

from .prompt import TEMPLATE, PromptTokens, Tokenizer, load_tokenizer, tokenize, truncate
from .qwen3 import Qwen3

__all__ = ["TEMPLATE", "PromptTokens", "Qwen3", "Tokenizer", "load_tokenizer", "tokenize", "truncate"]
