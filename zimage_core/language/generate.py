"""A text that is being written, token by token: who reads it takes the next one, or stops."""

from collections.abc import Iterator, Sequence

import torch

from .language_model import LanguageModel
from .token_choice import Sampling, choose_token


class Writer:
    """Goes on from a prompt; its cache lives as long as it does. To cancel is to ask for no more tokens."""

    def __init__(self, model: LanguageModel, prompt: Sequence[int], sampling: Sampling, seed: int) -> None:
        self._model, self._sampling = model, sampling
        self._generator = torch.Generator().manual_seed(seed)
        self._cache = model.new_cache()
        self._unread = list(prompt)  # tokens the model has not seen yet
        self._tokens = list(prompt)

    @property
    def n_bytes(self) -> int:
        """Memory of the keys and values."""
        return self._cache.n_bytes

    def next_token(self) -> int:
        """Choose the next token and go on from it."""
        logits = self._model.logits(self._unread, self._cache)
        self._unread.clear()
        token = choose_token(logits, self._tokens, self._sampling, self._generator)
        self.insert((token,))
        return token

    def insert(self, tokens: Sequence[int]) -> None:
        """Go on from tokens that were not chosen, as if the model had written them."""
        self._unread.extend(tokens)
        self._tokens.extend(tokens)

    def until(self, stop: Sequence[int], limit: int) -> Iterator[int]:
        """At most `limit` tokens, without the one of `stop` that ends them."""
        for _ in range(limit):
            token = self.next_token()
            if token in stop:
                return
            yield token
