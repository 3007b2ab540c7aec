"""Stage of nano's writer: next-token prediction of thoughts and answers after requests."""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from torch.nn.utils.rnn import pad_sequence

from ...config import NANO_TEXT
from ...language import LanguageHead
from ...language.chat import END_THINK, THINK, chat
from ...text import Qwen3, Tokenizer
from ...text.qwen3 import rope_table
from ...training import Ema, Progress, Recipe, init_weights, train
from ..data.requests import Request, training_request
from ..data.scenes import training_scenes
from ..writer import written_request

RECIPE = Recipe(steps=1000, lr=3e-3, warmup_steps=60, decay_part=0.4, ema_decay=0.99, seed=11)
BATCH = 32
WITHOUT_THOUGHT = 0.25  # of the answers
NO_TARGET = -100  # of cross_entropy


class WriterNetwork(nn.Module):
    """A Qwen3 with its language head, all of it trained."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.head = Qwen3(NANO_TEXT), LanguageHead(NANO_TEXT)
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (b, n, v) of the token after each of `ids` (b, n)."""
        rope = rope_table(ids.shape[1], NANO_TEXT.head_dim, NANO_TEXT.rope_theta, ids.device)
        x = self.text.embed(ids)
        for layer in chain(self.text.model.layers, self.head.model.layers.values()):
            x = layer(x, rope)
        return linear(self.head.model.norm(x), cast(Tensor, self.text.model.embed_tokens.weight))

    def file_state(self) -> dict[str, Tensor]:
        """Weights under the keys of a published Qwen3 file."""
        return {**self.text.state_dict(), **self.head.state_dict()}


def train_writer(network: WriterNetwork, tokenizer: Tokenizer, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of thought and answer; the request is only read."""
    scenes = training_scenes()

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        texts = [tokens_of(training_request(rng.choice(scenes), rng), tokenizer, rng) for _ in range(BATCH)]
        ids = pad_sequence([torch.tensor(read + written) for read, written in texts], batch_first=True)
        targets = pad_sequence(
            [torch.tensor([NO_TARGET] * len(read) + written) for read, written in texts],
            batch_first=True,
            padding_value=NO_TARGET,
        )
        return cross_entropy(network(ids[:, :-1]).flatten(0, 1), targets[:, 1:].flatten(), ignore_index=NO_TARGET)

    yield from train(network, loss_of_step, RECIPE, ema, folder)


def tokens_of(request: Request, tokenizer: Tokenizer, rng: random.Random) -> tuple[list[int], list[int]]:
    """What is read, and what is written after it."""
    thinking = rng.random() >= WITHOUT_THOUGHT
    read = chat(written_request(request.text, request.language), thinking=thinking)
    thought = f"{request.thought}\n{END_THINK}\n\n" if thinking else ""
    opening = f"{THINK}\n" if thinking else ""
    return tokenizer(read) + tokenizer(opening), tokenizer(thought) + tokenizer(f"{request.answer}<|im_end|>")
