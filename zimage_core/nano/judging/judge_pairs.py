"""Measures pictures of two objects in relation, on pairs that were never trained on; `judge` prints it.

Success means that both objects are there in their shapes and colours and nothing else is, on the ground and in the
relation that were asked for. Controls are printed with what is drawn: real renders, reconstructions (the ceiling) and
pictures of other pairs' captions (the floor).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields

from PIL import Image

from ..data.captions import LANGUAGES
from ..data.render import SQUARE, Size, render_composition
from ..data.scenes import COLUMNS, ROWS, SceneObject
from ..data.sizes import size_name
from ..data.two_objects import Pair, held_out_pair_caption, plain_pair_caption
from .edit_checker import recognize_objects
from .judge_sizes import Draw, Pictures, Reconstruct, checked
from .rates import rate

LARGER_SIZES = ((96, 96), (128, 64), (128, 128))
WAYS = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}  # from the second to the first


@dataclass(frozen=True, kw_only=True)
class PairScore:
    """What of a picture of two objects is as asked."""

    shapes: bool  # both are there
    colours: bool  # of both, where they are there
    relation: bool
    nothing_else: bool
    ground: bool


def check_pair(picture: Image.Image, pair: Pair) -> PairScore:
    """Compare what a picture shows with the pair that was asked for."""
    ground, objects = recognize_objects(picture)
    by_shape = {obj.shape: obj for obj in objects}
    one, other = (by_shape.get(each.shape) for each in (pair.one, pair.other))
    return PairScore(
        shapes=bool(one and other),
        colours=bool(one and other and (one.colour, other.colour) == (pair.one.colour, pair.other.colour)),
        relation=bool(one and other and stands(one, other, pair.relation)),
        nothing_else=len(objects) == 2,
        ground=ground == pair.ground,
    )


def stands(one: SceneObject, other: SceneObject, relation: str) -> bool:
    """Whether one object stands in a relation to another: farther that way than to either side."""
    across, down = COLUMNS[one.column] - COLUMNS[other.column], ROWS[one.row] - ROWS[other.row]
    x, y = WAYS[relation]
    return x * across + y * down > abs(y * across) + abs(x * down)


def report(draw: Draw, reconstruct: Reconstruct, pairs: Sequence[Pair]) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    names = [field.name.replace("_", " ") for field in fields(PairScore)]
    yield f"| {len(pairs)} held-out pairs | {' | '.join(names)} | all |"
    yield "| --- |" + " --- |" * (len(names) + 1)
    for name, pictures in rows(draw, reconstruct, pairs):
        yield f"| {name} | {' | '.join(cells(checked(name, pictures, pairs, check_pair)))} |"


def rows(
    draw: Draw, reconstruct: Reconstruct, pairs: Sequence[Pair]
) -> Iterator[tuple[str, Callable[[int, Sequence[Pair]], Pictures]]]:
    """Controls first, then what is drawn in each language, then larger."""

    def told(words: Sequence[str], size: Size = SQUARE) -> Callable[[int, Sequence[Pair]], Pictures]:
        return lambda first, some: draw(words[first : first + len(some)], first, size)

    yield "real renders", renders
    yield "reconstructions (ceiling)", lambda first, some: reconstruct(renders(first, some))
    plain = {language: [plain_pair_caption(pair, language) for pair in pairs] for language in LANGUAGES}
    yield "other pairs' captions (floor)", told([*plain["en"][1:], *plain["en"][:1]])
    for language in LANGUAGES:
        yield language, told(plain[language])
    for language in LANGUAGES:
        rng = random.Random(0)
        words = [held_out_pair_caption(pair, language, rng) for pair in pairs]
        yield f"{language}, sentences never trained on", told(words)
    for size in LARGER_SIZES:
        yield f"en, {size_name(size)}", told(plain["en"], size)


def renders(first: int, pairs: Sequence[Pair]) -> Pictures:
    """Real pictures, jittered."""
    return [render_composition(pair.composition, (seed, seed + 2**32)) for seed, pair in enumerate(pairs, first)]


def cells(scores: Sequence[PairScore]) -> Iterator[str]:
    """How often each thing is right, and all of them at once with Wilson's interval at 95 %."""
    verdicts = [astuple(score) for score in scores]
    for column in zip(*verdicts, strict=True):
        yield f"{sum(column) / len(scores):.3f}"
    yield rate(sum(map(all, verdicts)), len(scores))
