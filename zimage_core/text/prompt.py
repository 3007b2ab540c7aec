"""From a prompt to token ids: the chat template, the tokenizer, and what happens to very long prompts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..config import MAX_CAPTION_TOKENS

# Qwen3's chat template with one user turn and the assistant's turn opened; "thinking" is on, which appends nothing.
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"

Tokenizer = Callable[[str], list[int]]


@dataclass(frozen=True, kw_only=True)
class PromptTokens:
    """A prompt's token ids, template included, and how many there were before any cut."""

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
    """Cut ids at `limit`, as the reference does (the closing turn goes first); None keeps all, as ComfyUI does."""
    return PromptTokens(ids=ids if limit is None else ids[:limit], n_total=len(ids))


def tokenize(tokenizer: Tokenizer, prompt: str, limit: int | None = MAX_CAPTION_TOKENS) -> PromptTokens:
    """Token ids of a prompt in its chat template."""
    return truncate(tuple(tokenizer(TEMPLATE.format(prompt))), limit)


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer in a local folder: `tokenizer.json`, or Qwen's `vocab.json` with `merges.txt`.

    A diffusers `tokenizer/` folder, ComfyUI's bundled vocabulary and the built-in model's all qualify.
    """
    folder = Path(folder)
    if (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer as FastTokenizer

        fast = FastTokenizer.from_file(str(folder / "tokenizer.json"))
        return lambda text: fast.encode(text, add_special_tokens=False).ids
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return _qwen_tokenizer(folder)
    raise FileNotFoundError(
        f"no tokenizer in {folder}: expected tokenizer.json, or vocab.json with merges.txt; "
        "copy the `tokenizer` folder of the Z-Image release there"
    )


def _qwen_tokenizer(folder: Path) -> Tokenizer:
    from transformers import Qwen2Tokenizer

    slow = Qwen2Tokenizer.from_pretrained(str(folder), local_files_only=True)
    return lambda text: slow(text, add_special_tokens=False)["input_ids"]
