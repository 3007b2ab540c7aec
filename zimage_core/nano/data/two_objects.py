"""Pictures of two objects that stand beside or above one another, and what is said of them in English and Chinese.

The words are those of `captions`; only relations are new. Pairs are held out by hash of both objects and their
relation, and some templates are. A caption may leave out colours, the ground or the relation, which the picture may
choose.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from .captions import LANGUAGE_BY_CODE, LANGUAGES
from .scenes import COLOURS, COLUMNS, GROUNDS, ROWS, SHAPES, Composition, SceneObject, is_hash_held_out

RELATIONS = {  # of the first object to the second: what is told of both places
    "left": ({"column": "left"}, {"column": "right"}),
    "right": ({"column": "right"}, {"column": "left"}),
    "above": ({"row": "top"}, {"row": "bottom"}),
    "below": ({"row": "bottom"}, {"row": "top"}),
}
MIRRORED = {"left": "right", "right": "left", "above": "below", "below": "above"}
SIZE_PAIRS = (("small", "small"), ("small", "large"), ("large", "small"))  # two large ones would touch

RELATION_WORDS = {
    "en": {
        "left": ("to the left of", "on the left of", "left of"),
        "right": ("to the right of", "on the right of", "right of"),
        "above": ("above", "over"),
        "below": ("below", "under"),
    },
    "zh": {
        "left": ("左边", "左侧"),
        "right": ("右边", "右侧"),
        "above": ("上面", "上方"),
        "below": ("下面", "下方"),
    },
}

# {one} and {other} are coloured shapes; {other} comes first where a sentence begins with it.
TEMPLATES = {
    "en": (
        "a {one} {relation} a {other} {ground}",
        "a {one} {relation} a {other}, {ground}",
        "{ground}, a {one} {relation} a {other}",
        "a picture of a {one} {relation} a {other} {ground}",
        "a {one} {place} and a {other} {other_place}, {ground}",
        "{place} a {one}, {other_place} a {other}, {ground}",
    ),
    "zh": (
        "{ground}上，{one}在{other}的{relation}",
        "一个{one}在一个{other}的{relation}，{ground}",
        "{other}的{relation}有一个{one}，{ground}",
        "{ground}，{other}{relation}是{one}",
        "{place}有一个{one}，{other_place}有一个{other}，{ground}",
        "{ground}，{one}在{place}，{other}在{other_place}",
    ),
}
PARTIAL_TEMPLATES = {
    "en": (
        "a {one} {relation} a {other}",
        "a {shape} {relation} a {other_shape} {ground}",
        "a {shape} {relation} a {other_shape}",
        "a {one} and a {other} {ground}",
        "a {one} and a {other}",
    ),
    "zh": (
        "{one}在{other}的{relation}",
        "{ground}上，{shape}在{other_shape}的{relation}",
        "{shape}在{other_shape}的{relation}",
        "{ground}上有一个{one}和一个{other}",
        "一个{one}和一个{other}",
    ),
}
HELD_OUT_TEMPLATES = {
    "en": ("{ground} there is a {one} {relation} a {other}", "draw a {one} {relation} a {other}, {ground}."),
    "zh": ("{ground}上{one}位于{other}的{relation}", "画一个{one}，在{other}的{relation}，{ground}。"),
}
PARTIAL_FRACTION = 0.25  # of training captions
PLACED = ("{place}", "{other_place}")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two objects of different shapes and colours on one line, half a picture apart."""

    one: SceneObject
    other: SceneObject
    relation: str  # of one to the other
    ground: str

    @property
    def composition(self) -> Composition:
        """The picture."""
        return Composition(ground=self.ground, objects=(self.one, self.other))

    @property
    def turned(self) -> "Pair":
        """The same picture, told from the other object."""
        return Pair(one=self.other, other=self.one, relation=MIRRORED[self.relation], ground=self.ground)

    @property
    def is_held_out(self) -> bool:
        """Whether these objects in this relation, in whichever order they are told, are reserved for judging."""
        told = self if self.relation in ("left", "above") else self.turned
        names = (f"{each.colour} {each.shape}" for each in (told.one, told.other))
        return is_hash_held_out(f"pair {' '.join(names)} {told.relation}")


def any_pair(rng: random.Random) -> Pair:
    """A pair, held out or not."""
    shapes, colours = rng.sample(SHAPES, 2), rng.sample(tuple(COLOURS), 2)
    sizes, relation, line = rng.choice(SIZE_PAIRS), rng.choice(tuple(RELATIONS)), rng.randrange(len(ROWS))
    across = {"row": list(ROWS)[line]} if relation in ("left", "right") else {"column": list(COLUMNS)[line]}
    one, other = (
        SceneObject(**{"shape": shape, "colour": colour, "size": size, **across, **place})
        for shape, colour, size, place in zip(shapes, colours, sizes, RELATIONS[relation], strict=True)
    )
    return Pair(one=one, other=other, relation=relation, ground=rng.choice(GROUNDS))


def training_pairs(rng: random.Random) -> Iterator[Pair]:
    """Endless pairs to train with: not held out, and without a scene on which pictures of one object are judged."""
    drawn = (any_pair(rng) for _ in count())
    return (pair for pair in drawn if not (pair.is_held_out or pair.composition.shows_held_out_scene))


def held_out_pairs(n: int = 192) -> list[Pair]:
    """The fixed pairs for judging."""
    rng = random.Random("held out pairs")
    return list(islice((pair for pair in (any_pair(rng) for _ in count()) if pair.is_held_out), n))


def plain_pair_caption(pair: Pair, language: str) -> str:
    """The first template with the first words."""
    return fill_pair(TEMPLATES[language][0], pair, language, None)


def held_out_pair_caption(pair: Pair, language: str, rng: random.Random) -> str:
    """A sentence that training never says."""
    return fill_pair(rng.choice(HELD_OUT_TEMPLATES[language]), pair, language, rng)


def training_pair_caption(pair: Pair, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A caption in either language, told from either object, and what it states of the first and the second one told
    of: names of attributes, those of the second behind "second".
    """
    language, told = rng.choice(LANGUAGES), pair if rng.random() < 0.5 else pair.turned
    some = PARTIAL_TEMPLATES if rng.random() < PARTIAL_FRACTION else TEMPLATES
    template = rng.choice(some[language])
    return fill_pair(template, told, language, rng), stated_of(template, told)


def stated_of(template: str, pair: Pair) -> dict[str, str]:
    """What a template states of a pair, the object first that the sentence names first."""
    objects, places = [pair.one, pair.other], RELATIONS[pair.relation]
    known = [{"shape": each.shape} for each in objects]
    for each, said, obj, place in zip(known, ("{one}", "{other}"), objects, places, strict=True):
        if said in template:
            each["colour"] = obj.colour
        if "{relation}" in template:
            each.update(place)
        if PLACED[0] in template:
            each.update(row=obj.row, column=obj.column)
    first, second = known if _begins_with_one(template) else known[::-1]
    ground = {"ground": pair.ground} if "{ground}" in template else {}
    return {**first, **{f"second {name}": value for name, value in second.items()}, **ground}


def _begins_with_one(template: str) -> bool:
    """Whether the sentence names the one object before the other."""
    named = template.replace("{shape}", "{one}").replace("{other_shape}", "{other}")
    return named.index("{one}") < named.index("{other}")


def fill_pair(template: str, pair: Pair, language: str, rng: random.Random | None) -> str:
    """A template with a pair's words: random synonyms, or the first ones where `rng` is None."""
    words = LANGUAGE_BY_CODE[language].words

    def say(choices: tuple[str, ...]) -> str:
        return rng.choice(choices) if rng else choices[0]

    def name(obj: SceneObject) -> str:
        return (" " if language == "en" else "").join((say(words[obj.colour]), say(words[obj.shape])))

    def place(obj: SceneObject) -> str:
        return say(words[f"{obj.row} {obj.column}"])

    return template.format(
        one=name(pair.one),
        other=name(pair.other),
        shape=say(words[pair.one.shape]),
        other_shape=say(words[pair.other.shape]),
        relation=say(RELATION_WORDS[language][pair.relation]),
        place=place(pair.one),
        other_place=place(pair.other),
        ground=say(words[pair.ground]),
    )
