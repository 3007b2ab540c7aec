"""From a prompt to token ids: chat template, tokenizer, truncation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import MAX_CAPTION_TOKENS

# Qwen3's chat template with one user turn and the assistant's turn opened; "thinking" is on, which appends nothing.
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"

# The same turn around pictures, cut where pictures stand: chunk j goes before picture j, the last one closes. Omni
# encodes every chunk by itself (diffusers 0.42.1, pipeline_z_image_omni.py).
FIRST_CHUNK = "<|im_start|>user\n<|vision_start|>"
NEXT_CHUNK = "<|vision_end|><|vision_start|>"
PROMPT_CHUNK = "<|vision_end|>{}<|im_end|>\n<|im_start|>assistant\n<|vision_start|>"
LAST_CHUNK = "<|vision_end|><|im_end|>"

Tokenizer = Callable[[str], list[int]]
Detokenizer = Callable[[Sequence[int]], str]


@dataclass(frozen=True, kw_only=True)
class PromptTokens:
    """A prompt's token ids, template included, and their number before truncation."""

    ids: tuple[int, ...]
    n_total: int

    @property
    def is_truncated(self) -> bool:
        """Whether tokens were cut off."""
        return len(self.ids) < self.n_total

    def describe(self) -> str:
        """One sentence for the user: how many tokens there were and what happened to them."""
        if self.is_truncated:
            n_lost = self.n_total - len(self.ids)
            return f"{self.n_total} tokens, more than {len(self.ids)}: the last {n_lost} were cut off"
        if self.n_total > MAX_CAPTION_TOKENS:
            return f"{self.n_total} tokens, all kept: more than the {MAX_CAPTION_TOKENS} the model was trained with"
        return f"{self.n_total} of {MAX_CAPTION_TOKENS} tokens"


def truncate(ids: tuple[int, ...], limit: int | None = MAX_CAPTION_TOKENS) -> PromptTokens:
    """Truncate ids at `limit`, as the reference does (the template's end is lost first); None keeps all, as ComfyUI."""
    return PromptTokens(ids=ids if limit is None else ids[:limit], n_total=len(ids))


def tokenize(tokenizer: Tokenizer, prompt: str, limit: int | None = MAX_CAPTION_TOKENS) -> PromptTokens:
    """Token ids of a prompt in its chat template."""
    return truncate(tuple(tokenizer(TEMPLATE.format(prompt))), limit)


def chunk_templates(n_references: int) -> tuple[str, ...]:
    """Templates of the `n_references` + 2 chunks, one of which takes the prompt; `TEMPLATE` without references."""
    if not n_references:
        return (TEMPLATE,)
    return (FIRST_CHUNK, *[NEXT_CHUNK] * (n_references - 1), PROMPT_CHUNK, LAST_CHUNK)


def tokenize_chunks(
    tokenizer: Tokenizer, prompt: str, n_references: int, limit: int | None = MAX_CAPTION_TOKENS
) -> list[PromptTokens]:
    """Token ids of every chunk of a prompt; each is truncated separately."""
    texts = [template.format(prompt) for template in chunk_templates(n_references)]
    return [truncate(tuple(tokenizer(text)), limit) for text in texts]


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer in a local folder: `tokenizer.json`, or Qwen's `vocab.json` with `merges.txt`.

    A diffusers `tokenizer/` folder, ComfyUI's bundled vocabulary and the built-in model's all qualify.
    """
    if (fast := _fast_vocabulary(Path(folder))) is not None:
        return lambda text: fast.encode(text, add_special_tokens=False).ids
    slow = _qwen_vocabulary(Path(folder))
    return lambda text: slow(text, add_special_tokens=False)["input_ids"]


def load_detokenizer(folder: str | Path) -> Detokenizer:
    """Token ids back to text by the vocabulary in a folder; marks such as the end of a turn are left out."""
    if (fast := _fast_vocabulary(Path(folder))) is not None:
        return lambda ids: fast.decode(list(ids), skip_special_tokens=True)
    slow = _qwen_vocabulary(Path(folder))
    return lambda ids: slow.decode(list(ids), skip_special_tokens=True)


def _fast_vocabulary(folder: Path) -> Any:
    if not (folder / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer as FastTokenizer

    return FastTokenizer.from_file(str(folder / "tokenizer.json"))


def _qwen_vocabulary(folder: Path) -> Any:
    if not ((folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()):
        raise FileNotFoundError(
            f"no tokenizer in {folder}: expected tokenizer.json, or vocab.json with merges.txt; "
            "copy the `tokenizer` folder of the Z-Image release there"
        )
    from transformers import Qwen2Tokenizer

    return Qwen2Tokenizer.from_pretrained(str(folder), local_files_only=True)
