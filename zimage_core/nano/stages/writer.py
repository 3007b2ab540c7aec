"""Stage of nano's writer: next-token prediction of thoughts and answers after requests."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from torch.nn.utils.rnn import pad_sequence

from ...config import NANO_TEXT
from ...language import LanguageHead, LanguageModel
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

ReadAndWritten = tuple[list[int], list[int]]  # tokens of a request, and of what is written after it


class WriterNetwork(nn.Module):
    """A Qwen3 with its language head, all of it trained."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.head = Qwen3(NANO_TEXT), LanguageHead(NANO_TEXT)
        init_weights(self, torch.Generator().manual_seed(RECIPE.seed))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (b, n, v) of the token after each of `ids` (b, n)."""
        return self.logits(self.text.embed(ids))

    def logits(self, x: Tensor) -> Tensor:
        """Logits (b, n, v) of the token after each embedding of `x` (b, n, d)."""
        rope = rope_table(x.shape[1], NANO_TEXT.head_dim, NANO_TEXT.rope_theta, x.device)
        for layer in chain(self.text.model.layers, self.head.model.layers.values()):
            x = layer(x, rope)
        return linear(self.head.model.norm(x), cast(Tensor, self.text.model.embed_tokens.weight))

    def file_state(self) -> dict[str, Tensor]:
        """Weights under the keys of a published Qwen3 file."""
        return {**self.text.state_dict(), **self.head.state_dict()}


def network_of(model: LanguageModel) -> WriterNetwork:
    """A writer that was trained, to be trained on."""
    network = WriterNetwork()
    network.text.load_state_dict(model.encoder.state_dict())
    network.head.load_state_dict(model.head.state_dict())
    return network


def train_writer(network: WriterNetwork, tokenizer: Tokenizer, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Cross-entropy of thought and answer; the request is only read."""
    scenes = training_scenes()

    def loss_of_step(step: int, generator: torch.Generator) -> Iterator[Tensor]:
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        texts = [tokens_of(training_request(rng.choice(scenes), rng), tokenizer, rng) for _ in range(BATCH)]
        ids, targets = padded(texts)
        yield loss_of(network(ids), targets)

    yield from train(network, loss_of_step, RECIPE, ema, folder)


def padded(texts: Sequence[ReadAndWritten]) -> tuple[Tensor, Tensor]:
    """Ids that are read (b, n), and the next one of each (b, n), where that is to be written."""
    ids = pad_sequence([torch.tensor(read + written) for read, written in texts], batch_first=True)
    targets = pad_sequence(
        [torch.tensor([NO_TARGET] * len(read) + written) for read, written in texts],
        batch_first=True,
        padding_value=NO_TARGET,
    )
    return ids[:, :-1], targets[:, 1:]


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of all that is to be written."""
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NO_TARGET)


def tokens_of(request: Request, tokenizer: Tokenizer, rng: random.Random) -> ReadAndWritten:
    """What is read, and what is written after it."""
    thinking = rng.random() >= WITHOUT_THOUGHT
    read = chat(written_request(request.text, request.language), thinking=thinking)
    thought = f"{request.thought}\n{END_THINK}\n\n" if thinking else ""
    opening = f"{THINK}\n" if thinking else ""
    return tokenizer(read) + tokenizer(opening), tokenizer(thought) + tokenizer(f"{request.answer}<|im_end|>")
