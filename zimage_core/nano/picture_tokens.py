"""Pictures as nano's language model reads them: words that a small reader finds in the tower's patches.

The reader looks for every shape, says what it is like, and names at most two. A word it is unsure of is a mixture of
words' embeddings, in the proportions of its doubt, so a picture is read as a request is: "circle red large top left".

Letters: p pictures, n patches, c width of the tower's features, s shapes, h heads, k classes, g grounds, m places of w
words.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import silu

from .._shapes import Float
from ..config import NANO_VISION
from ..ops import TORCH, Ops
from ..text import Tokenizer
from ..vision import Siglip2, prepare
from .data.render import at_renderers_side, pixels
from .data.scenes import ATTRIBUTES, GROUNDS, SHAPES, Composition, SceneObject

PLACE, PICTURE_END = "<|vision_start|>", "<|vision_end|>"  # a word's place in the text, and what closes a picture
OBJECTS = 2  # that are named
OBJECT_ATTRIBUTES = {name: ATTRIBUTES[name] for name in ("colour", "size", "row", "column")}
OBJECT_WORDS = {"shape": SHAPES, **OBJECT_ATTRIBUTES}
WORDS = (*(value for values in OBJECT_WORDS.values() for value in values), *GROUNDS)
FIRST = dict(
    zip(OBJECT_WORDS, accumulate(map(len, OBJECT_WORDS.values()), initial=0), strict=False)
)  # of each in WORDS
PLACES = OBJECTS * len(OBJECT_WORDS) + 1  # of words of a picture: those of each object, and the ground
HEADS, HIDDEN = 3, 160


class PictureReader(nn.Module):
    """Every shape looks for itself with some heads; class 0 of an attribute is that there is no such object."""

    def __init__(self, *, ops: Ops = TORCH) -> None:
        super().__init__()
        n_patches, dim = NANO_VISION.n_positions, NANO_VISION.dim
        self.look = ops.Linear(dim, len(SHAPES) * HEADS)
        self.enter = ops.Linear(HEADS * (dim + 2 * n_patches) + len(SHAPES), HIDDEN)
        self.leave = ops.Linear(HIDDEN, sum(1 + len(values) for values in OBJECT_ATTRIBUTES.values()))
        self.ground = ops.Linear(dim, len(GROUNDS))

    def forward(
        self, features: Float[Tensor, "p n c"]
    ) -> tuple[dict[str, Float[Tensor, "p s k"]], Float[Tensor, "p g"]]:
        """Logits of each attribute of every shape, and of the ground."""
        scores = rearrange(self.look(features), "p n q -> p q n")  # q: shapes and heads
        attention = scores.softmax(-1)
        found = torch.cat((attention @ features, attention, scores.sigmoid()), -1)
        found = rearrange(found, "p (s h) f -> p s (h f)", h=HEADS)
        names = torch.eye(len(SHAPES)).expand(len(features), -1, -1)
        logits = self.leave(silu(self.enter(torch.cat((found, names), -1))))
        sizes = [1 + len(values) for values in OBJECT_ATTRIBUTES.values()]
        return dict(zip(OBJECT_ATTRIBUTES, logits.split(sizes, -1), strict=True)), self.ground(features.mean(1))


def vision_inputs(pictures: Sequence[Image.Image]) -> Float[Tensor, "p 3 H W"]:
    """Pictures of one size as the tower reads them."""
    return torch.stack([prepare(torch.from_numpy(pixels(picture)), NANO_VISION) for picture in pictures])


def patch_features(tower: Siglip2, pictures: Sequence[Image.Image]) -> Float[Tensor, "p n c"]:
    """What the tower sees in pictures, as large as nano draws them."""
    features = tower(vision_inputs([at_renderers_side(picture) for picture in pictures]))
    return rearrange(features, "p gh gw c -> p (gh gw) c")


@torch.no_grad()
def words_seen(tower: Siglip2, reader: PictureReader, pictures: Sequence[Image.Image]) -> Float[Tensor, "p m w"]:
    """Each picture's words, as proportions of `WORDS`: the likeliest objects in the order of their shapes, the ground.

    The places of an object that is not there hold nothing.
    """
    attributes, ground = reader(patch_features(tower, pictures))
    shares = {name: logits.softmax(-1) for name, logits in attributes.items()}
    presence = torch.stack([1 - share[..., 0] for share in shares.values()]).mean(0)  # (p, s)
    chosen = presence.topk(OBJECTS, -1).indices
    is_absent = presence.gather(1, chosen) < 0.5
    order = (chosen + len(SHAPES) * is_absent).argsort(-1)
    chosen, is_there = chosen.gather(1, order), ~is_absent.gather(1, order)[..., None]
    shares = {"shape": torch.eye(len(SHAPES)).expand(len(ground), -1, -1), **{n: s[..., 1:] for n, s in shares.items()}}
    words = torch.zeros(len(ground), PLACES, len(WORDS))
    for index, (name, first) in enumerate(FIRST.items()):
        n = len(OBJECT_WORDS[name])
        picked = shares[name].gather(1, chosen[..., None].expand(-1, -1, n))  # (p, objects, values)
        words[:, index : PLACES - 1 : len(FIRST), first : first + n] = is_there * picked / picked.sum(-1, keepdim=True)
    words[:, -1, -len(GROUNDS) :] = ground.softmax(-1)
    return words


def words_of(compositions: Sequence[Composition]) -> Float[Tensor, "p m w"]:
    """The words that a reader without faults would find."""
    words = torch.zeros(len(compositions), PLACES, len(WORDS))
    for row, composition in zip(words, compositions, strict=True):
        objects = sorted(composition.objects, key=lambda obj: SHAPES.index(obj.shape))
        for first, obj in zip(range(0, PLACES - 1, len(FIRST)), objects, strict=False):
            for index, (name, offset) in enumerate(FIRST.items()):
                row[first + index, offset + OBJECT_WORDS[name].index(getattr(obj, name))] = 1
        row[-1, len(WORDS) - len(GROUNDS) + GROUNDS.index(composition.ground)] = 1
    return words


def composition_of(words: Float[Tensor, "m w"]) -> Composition:
    """The inverse: what a picture's words describe, the likeliest one of each place.

    Raises `ValueError` where that is no scene of nano's, as objects that touch.
    """
    likeliest = [WORDS[index] if shares.any() else "" for index, shares in zip(words.argmax(-1), words, strict=True)]
    ends = range(len(OBJECT_WORDS), PLACES, len(OBJECT_WORDS))
    objects = (likeliest[end - len(OBJECT_WORDS) : end] for end in ends)
    return Composition(
        ground=likeliest[-1],
        objects=tuple(SceneObject(**dict(zip(OBJECT_WORDS, each, strict=True))) for each in objects if all(each)),
    )


def word_ids(tokenizer: Tokenizer) -> list[int]:
    """The token of each of `WORDS`, the last one where it has several."""
    return [tokenizer(f" {word}")[-1] for word in WORDS]


def picture_marks(n_pictures: int) -> str:
    """The places of so many pictures' words, as they stand before the question."""
    return (PLACE * PLACES + PICTURE_END) * n_pictures
