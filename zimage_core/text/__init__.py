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
from .shortened import shortened

__all__ = [
    "TEMPLATE",
    "Detokenizer",
    "PromptTokens",
    "Qwen3",
    "Tokenizer",
    "chunk_templates",
    "load_detokenizer",
    "load_tokenizer",
    "shortened",
    "tokenize",
    "tokenize_chunks",
    "truncate",
]
