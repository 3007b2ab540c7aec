"""How long a prompt is, counted by the tokenizer that will read it, before anything runs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from comfy.text_encoders.z_image import ZImageTokenizer

from ....zimage_core.config import MAX_CAPTION_TOKENS
from ....zimage_core.text import TEMPLATE, chunk_templates
from ..loading import files
from ..loading.text import TOKENS_KEY, tokenizer_of
from ..tasks.prompts import whole

PLAIN, EDIT = "prompt", "edit"
TEMPLATES = {PLAIN: TEMPLATE, EDIT: chunk_templates(1)[-2]}  # with pictures, the words stand in the last chunk but one


@dataclass(frozen=True, kw_only=True)
class Length:
    """Tokens of a prompt in its template, and the words beyond the limit."""

    tokens: int
    limit: int
    beyond: str


def measure(prompt: str, encoder: str, template: str) -> Length:
    """The length of a prompt for the text encoder of that name; only the built-in one has a vocabulary of its own."""
    tokenizer = _tokenizer(encoder == files.BUILT_IN)
    frame = TEMPLATES[template]
    pairs = tokenizer.tokenize_with_weights(whole(prompt), llama_template=frame)[TOKENS_KEY][0]
    rest = [pair[0] for pair in pairs[MAX_CAPTION_TOKENS:] if isinstance(pair[0], int)]
    closing = frame.partition("{}")[2]
    beyond = getattr(tokenizer, TOKENS_KEY).tokenizer.decode(rest, clean_up_tokenization_spaces=False)
    words = _without(closing, beyond).lstrip("\ufffd")  # a character the limit cuts through counts as kept
    return Length(tokens=len(pairs), limit=MAX_CAPTION_TOKENS, beyond=words)


def _without(closing: str, text: str) -> str:
    """Words without the closing turn, of which a cut may have left the end only."""
    for start in range(len(closing)):
        if text.endswith(closing[start:]):
            return text.removesuffix(closing[start:])
    return text


@cache
def _tokenizer(is_built_in: bool) -> Any:
    kind = tokenizer_of(files.BUILT_IN_TOKENIZER) if is_built_in else ZImageTokenizer
    return kind(embedding_directory=files.embeddings_folder())
