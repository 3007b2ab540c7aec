"""The text encoder, prompt templates and tokenizers."""

from .prompt import (
    TEMPLATE,
    Detokenizer,
    PromptTokens,
    Tokenizer,
    chunk_templates,
    load_detokenizer,
    load_tokenizer,
    tokenize,
    tokenize_chunks,
    truncate,
)
from .qwen3 import Qwen3

__all__ = [
    "TEMPLATE",
    "Detokenizer",
    "PromptTokens",
    "Qwen3",
    "Tokenizer",
    "chunk_templates",
    "load_detokenizer",
    "load_tokenizer",
    "tokenize",
    "tokenize_chunks",
    "truncate",
]
