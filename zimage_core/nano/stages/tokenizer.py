"""Stage 1 of the built-in model: a vocabulary for its captions."""

import random
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_file import write_text
from ...config import NANO_TEXT
from ...text import Tokenizer, load_tokenizer
from ..data.captions import every_sentence
from ..data.scenes import training_scenes

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer

PASSES = 20  # over all training scenes, each time with other sentences and synonyms
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>")  # in Omni's prompts; they came later, on ids left free


def build_tokenizer(folder: Path) -> Tokenizer:
    """A byte-level BPE over training captions, with Qwen3's special tokens and single Han characters."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers import Tokenizer as FastTokenizer

    fast = FastTokenizer(models.BPE())
    fast.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{Han}|[，。：、！？]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    fast.decoder = decoders.ByteLevel()
    rng = random.Random(0)
    sentences = (sentence for _ in range(PASSES) for sentence in every_sentence(training_scenes(), rng))
    trainer = trainers.BpeTrainer(
        vocab_size=NANO_TEXT.vocab_size,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    fast.train_from_iterator([*sentences, *["user\n", "assistant\n"] * 100], trainer)
    add_vision_tokens(fast)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "tokenizer.json", fast.to_str(pretty=True))
    return load_tokenizer(folder)


def add_vision_tokens(fast: "FastTokenizer") -> None:
    """Give them the next free ids; nothing else changes, and a tokenizer that has them stays as it is."""
    fast.add_special_tokens(list(VISION_TOKENS))
