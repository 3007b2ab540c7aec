"""Keys and values of the tokens a language model has read, so that each new token costs one row, not all of them."""

from torch import Tensor

from .._shapes import Float

MIN_ROOM, ROOM_SHARE = 32, 16  # free places of a new buffer: so many tokens, or this part of those there are


class LayerCache:
    """One layer's keys and values of tokens 0 to `length` - 1, in buffers that grow when they are full.

    By a sixteenth: a token then costs 16 rows of copying on average, and hardly any memory lies free.
    """

    def __init__(self) -> None:
        self.length = 0
        self._buffers: tuple[Tensor, Tensor] | None = None  # keys and values, each (b, g, capacity, e)

    @property
    def n_bytes(self) -> int:
        """Memory of both buffers."""
        return sum(buffer.nbytes for buffer in self._buffers or ())

    def extend(
        self, k: Float[Tensor, "b g n e"], v: Float[Tensor, "b g n e"]
    ) -> tuple[Float[Tensor, "b g m e"], Float[Tensor, "b g m e"]]:
        """Add n tokens; returns the keys and values of all m.

        Several tokens at once are a prompt, whose attention is causal from its first token: after it, one at a time.
        """
        n = k.shape[2]
        if self.length and n > 1:
            raise ValueError(f"{n} tokens at once after {self.length}; only a prompt's are read together")
        end = self.length + n
        buffers = self._with_room(k, end)
        for buffer, new in zip(buffers, (k, v), strict=True):
            buffer[:, :, self.length : end] = new
        self._buffers, self.length = buffers, end
        return buffers[0][:, :, :end], buffers[1][:, :, :end]

    def _with_room(self, like: Tensor, end: int) -> tuple[Tensor, Tensor]:
        """Buffers for `end` tokens, with those there are."""
        old = self._buffers
        if old is not None and old[0].shape[2] >= end:
            return old
        capacity = end + max(MIN_ROOM, end // ROOM_SHARE)
        b, g, _, e = like.shape
        new = like.new_empty(b, g, capacity, e), like.new_empty(b, g, capacity, e)
        if old is not None:
            for buffer, before in zip(new, old, strict=True):
                buffer[:, :, : self.length] = before[:, :, : self.length]
        return new


class KeyValueCache:
    """The caches of all layers, for one text or for a batch of equally long ones."""

    def __init__(self, n_layers: int) -> None:
        self.layers = [LayerCache() for _ in range(n_layers)]

    @property
    def length(self) -> int:
        """Tokens read so far."""
        return self.layers[0].length

    @property
    def n_bytes(self) -> int:
        """Memory of all keys and values."""
        return sum(layer.n_bytes for layer in self.layers)
