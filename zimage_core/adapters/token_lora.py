"""A LoRA for some tokens of a sequence: a side branch that counts as much as each token's share of it.

    y = layer(x) + share · change(x), row by row

The layers that a token passes through by itself can be changed so, for a part of the picture and for its words. What
acts on all tokens at once cannot: modulation, time embedding, norms, pad tokens and the branch for reference pictures.

Letters: b batch, n tokens, k tokens of captions, p tokens of the picture with pads, i o input and output width.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .._shapes import Float
from .deltas import tensors_of
from .inject import Injection, ScaledDelta, side_branch
from .lora import Lora
from .side_branch import Change, Product, SideBranch

STACKS = ("noise_refiner.", "context_refiner.", "layers.")
IN_BLOCKS = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
OUTSIDE_BLOCKS = ("x_embedder", "cap_embedder.1", "final_layer.linear")


def on_tokens(lora: Lora) -> Lora:
    """A LoRA's changes to matrices that every token passes through by itself."""
    kept = {target: delta for target, delta in lora.deltas.items() if _is_on_tokens(target.parameter)}
    return replace(lora, deltas=kept)


def _is_on_tokens(parameter: str) -> bool:
    layer, _, name = parameter.rpartition(".")
    is_in_block = layer.startswith(STACKS) and layer.split(".", 2)[2] in IN_BLOCKS
    return name == "weight" and (is_in_block or layer in OUTSIDE_BLOCKS)


class TokenShare:
    """How much of a LoRA each token gets: all alike, or one by one once the sequence is known."""

    def __init__(self) -> None:
        self._alike = 1.0
        self._joint: Tensor | None = None
        self._before_image = 0
        self._reference_images = slice(0)

    def set_alike(self, share: float) -> None:
        """The share of every token, until the next call; so are captions refined, before they join the picture."""
        self._alike, self._joint = share, None

    def place(self, shares: Float[Tensor, "b n"], before_image: int, reference_images: slice = slice(0)) -> None:
        """The shares of the joint sequence, whose last tokens are the picture's, and those before it of other things.

        Among these may be images of references, which run through a stack of layers together with the picture.
        """
        self._joint, self._before_image, self._reference_images = shares, before_image, reference_images

    def of(self, x: Float[Tensor, "b n i"]) -> float | Float[Tensor, "b n 1"]:
        """The shares of the tokens x: the picture's alone, behind images of references, or the joint sequence's.

        Behind that may be others.
        """
        if self._joint is None:
            return self._alike
        joint, picture = self._joint, self._joint[:, self._before_image :]
        images = joint[:, self._reference_images]
        if x.shape[1] <= picture.shape[1]:
            return picture[:, : x.shape[1], None].to(x)
        if x.shape[1] == images.shape[1] + picture.shape[1]:
            return torch.cat((images, picture), dim=1)[..., None].to(x)
        behind = x.shape[1] - joint.shape[1]
        shares = joint if not behind else torch.cat((joint, self._mean_of_each().expand(-1, behind)), dim=1)
        return shares[..., None].to(x)

    def _mean_of_each(self) -> Tensor:
        assert self._joint is not None
        return self._joint[:, self._before_image :].mean(1, keepdim=True)


class TokenLora:
    """A LoRA at a strength for one run of a network, with its branches and the shares of the current sequence."""

    def __init__(self, lora: Lora, strength: float, device: torch.device | None = None) -> None:
        self.lora = on_tokens(lora)
        self.strength = strength
        self.device = device
        self.share = TokenShare()
        self._branches: dict[str, list[SideBranch]] | None = None  # by layer

    @property
    def n_bytes(self) -> int:
        """Of its tensors, beside the network."""
        return sum(each.nbytes for delta in self.lora.deltas.values() for each in tensors_of(delta))

    def add_to(self, injection: Injection, network: nn.Module) -> None:
        """Put its branches beside a network's layers, until they are ejected; they are computed once."""
        if self._branches is None:
            self._branches = self._made_for(network)
        for path, branches in self._branches.items():
            injection.add_branches(network.get_submodule(path), branches)

    def _made_for(self, network: nn.Module) -> dict[str, list[SideBranch]]:
        made: defaultdict[str, list[SideBranch]] = defaultdict(list)
        for target, delta in self.lora.deltas.items():
            path = target.parameter.rpartition(".")[0]
            scaled = ScaledDelta(target, delta, self.strength)
            branch = side_branch(scaled, network.get_submodule(path), self.device)
            made[path].append(SideBranch(target, self._shared(branch.change)))
        return dict(made)

    def _shared(self, change: Change) -> Change:
        def share_of(x: Tensor, product: Product) -> Tensor:
            return change(x, product) * self.share.of(x)

        return share_of


def joint_shares(
    lengths: Sequence[int],
    owns: Callable[[int], bool],
    coverage: Float[Tensor, " m"],
    n_picture: int,
    n_references: int = 0,
) -> Float[Tensor, " n"]:
    """Shares of a joint sequence: 1 for the captions a LoRA owns, coverage for the picture's tokens.

    `lengths` are those of the captions; tokens of references before them, and pads behind the m tokens of the picture,
    get the mean.
    """
    mean = coverage.mean()
    text = [torch.full((length,), float(owns(index))) for index, length in enumerate(lengths)]
    return torch.cat((mean.expand(n_references), *text, coverage, mean.expand(n_picture - len(coverage))))


def filled_shares(shares: Float[Tensor, " n"], n_text: int, longest: int) -> Float[Tensor, " m"]:
    """Shares with zeros behind the `n_text` caption tokens, up to `longest`."""
    text, picture = shares.split((n_text, len(shares) - n_text))
    return torch.cat((pad(text, (0, longest - n_text)), picture))
