"""Token count of a prompt, by the tokenizer of the text encoder that will encode it, before anything runs."""

from dataclasses import dataclass

from ....zimage_core.config import MAX_CAPTION_TOKENS
from ....zimage_core.nano.known_words import unknown_words
from ....zimage_core.text import TEMPLATE, chunk_templates
from ..loading import files
from ..loading.language_model import TOKENS_KEY
from ..loading.text import prompt_tokenizer
from ..tasks.prompts import replace_lone_surrogates

PLAIN, EDIT = "prompt", "edit"
TEMPLATES = {PLAIN: TEMPLATE, EDIT: chunk_templates(1)[-2]}  # with pictures, the last chunk but one has the prompt


@dataclass(frozen=True, kw_only=True)
class Length:
    """Token count of a prompt in its template, the text beyond the limit, and words that the encoder never read."""

    tokens: int
    limit: int
    beyond: str
    unknown: tuple[str, ...] = ()  # of the built-in encoder; Qwen3 has read everything


def measure(prompt: str, encoder: str, template: str) -> Length:
    """The length of a prompt for a text encoder file; all but the built-in one have Qwen3's vocabulary."""
    is_built_in = encoder == files.BUILT_IN
    tokenizer = prompt_tokenizer(is_built_in=is_built_in)
    text = TEMPLATES[template]
    pairs = tokenizer.tokenize_with_weights(replace_lone_surrogates(prompt), llama_template=text)[TOKENS_KEY][0]
    ids = [pair[0] for pair in pairs[MAX_CAPTION_TOKENS:] if isinstance(pair[0], int)]
    closing = text.partition("{}")[2]
    beyond = getattr(tokenizer, TOKENS_KEY).tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    beyond = _without_closing(closing, beyond).lstrip("\ufffd")  # half of a character that the limit cuts in two
    unknown = tuple(unknown_words(prompt)) if is_built_in else ()
    return Length(tokens=len(pairs), limit=MAX_CAPTION_TOKENS, beyond=beyond, unknown=unknown)


def _without_closing(closing: str, text: str) -> str:
    """Text without the template's end, or without the part of it that lies beyond the limit."""
    for start in range(len(closing)):
        if text.endswith(closing[start:]):
            return text.removesuffix(closing[start:])
    return text
