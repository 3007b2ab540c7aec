"""Qwen3 as a language model: the text encoder's layers, then what only writing needs: one more layer and a norm.

The encoder is the one that reads prompts, the same object with the same weights; the output matrix is its embedding
table (tied, as in the published Qwen3-4B). So writing adds 100 MB in 16 bits to an encoder of 8 GB.

Letters: n tokens, d width, v vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from typing_extensions import Unpack

from .._shapes import Float
from ..config import TextConfig
from ..ops import TORCH, Factory, Ops
from ..text.key_value_cache import KeyValueCache, LayerCache
from ..text.qwen3 import DecoderLayer, Qwen3, RopeTable, device_of, rope_table

RunLayer = Callable[[DecoderLayer, Tensor, RopeTable, LayerCache], Tensor]


class LanguageHead(nn.Module):
    """The last decoder layer and the final norm, which prompt embeddings never pass."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.config = config
        self.model = Tail(config, ops=ops, **factory)


class Tail(nn.Module):
    """Both under their published keys: `model.layers.35.…` and `model.norm.weight`."""

    def __init__(self, config: TextConfig, *, ops: Ops = TORCH, **factory: Unpack[Factory]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(config.n_layers_run): DecoderLayer(config, ops=ops, **factory)})
        self.norm = ops.RMSNorm(config.dim, eps=config.norm_eps, **factory)


def run_layer(layer: DecoderLayer, x: Tensor, rope: RopeTable, cache: LayerCache) -> Tensor:
    """A `RunLayer` whose weights are where the tokens are."""
    return layer(x, rope, cache)


class LanguageModel:
    """Logits of the next token; equal to transformers' `Qwen3ForCausalLM` on the same weights.

    `run_layer` runs a layer, for instance with its weights copied to the device for as long.
    """

    def __init__(self, encoder: Qwen3, head: LanguageHead, run_layer: RunLayer = run_layer) -> None:
        self.encoder, self.head, self._run_layer = encoder, head, run_layer

    @property
    def layers(self) -> list[DecoderLayer]:
        """All of them: the encoder's, then the one that only writing needs."""
        return [*self.encoder.model.layers, *cast(list[DecoderLayer], self.head.model.layers.values())]

    def new_cache(self) -> KeyValueCache:
        """An empty cache, for a text of its own."""
        return KeyValueCache(self.encoder.config.n_layers)

    @torch.no_grad()
    def logits(self, ids: Sequence[int], cache: KeyValueCache) -> Float[Tensor, " v"]:
        """Float32 logits of the token after `ids`, which follow the tokens in `cache` and are added to it.

        The first call reads a whole prompt at once; later ones take a token each.
        """
        *earlier, last = _turns(ids, has_prompt=cache.length > 0)
        for turn in earlier:
            self._last_features(turn, cache)
        return self.unembed(self._last_features(last, cache))[0, 0].float()

    def embed(self, ids: Sequence[int]) -> Float[Tensor, "1 n d"]:
        """Rows of the embedding table, which may stay on the CPU, on the layers' device."""
        table_device = device_of(self.encoder.model.embed_tokens)
        rows = self.encoder.embed(torch.tensor([list(ids)], device=table_device))
        return rows.to(device_of(self.encoder.model.layers))

    def unembed(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n v"]:
        """Similarities to the rows of the embedding table."""
        table = cast(Tensor, self.encoder.model.embed_tokens.weight)
        return linear(x.to(table.device), table)

    def _last_features(self, ids: Sequence[int], cache: KeyValueCache) -> Float[Tensor, "1 1 d"]:
        config = self.encoder.config
        x = self.embed(ids)  # (1, n, d)
        rope = rope_table(len(ids), config.head_dim, config.rope_theta, x.device, start=cache.length)
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            x = self._run_layer(layer, x, rope, layer_cache)
        return self.head.model.norm(x[:, -1:])


def _turns(ids: Sequence[int], *, has_prompt: bool) -> list[Sequence[int]]:
    """Which tokens are read together: all of a prompt, later ones one by one."""
    if not ids:
        raise ValueError("a language model needs at least one token to go on from")
    return [(token,) for token in ids] if has_prompt else [ids]
