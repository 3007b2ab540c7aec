"""What people ask nano's writer for, and what it should think and answer: in both languages, by template.

A request leaves open most of a scene, or hides a shape or a colour behind a hint ("the shape with three corners"). The
thought names what was asked, hints solved, and what is added; the answer is a whole caption in the language asked for.
Some pairs of shape and colour are held out of training by hash, wherever one of the two is hinted at.
"""

import random
from dataclasses import dataclass, replace

from .captions import LANGUAGE_BY_CODE, Language, fill
from .phrasings import training_template
from .scenes import ATTRIBUTES, SHAPES, Scene, is_hash_held_out

Hints = dict[str, tuple[str, ...]]

SHAPE_HINTS: dict[str, Hints] = {
    "en": {
        "circle": ("the shape without a corner", "the shape of a wheel"),
        "square": ("the shape with four equal sides", "the shape with two plus two corners"),
        "triangle": ("the shape with three corners", "the shape with one plus two corners"),
        "star": ("the shape with five points", "the shape that shines at night"),
        "heart": ("the sign of love", "the shape for valentine's day"),
        "ring": ("the shape with a hole", "what one wears on a finger"),
    },
    "zh": {
        "circle": ("没有角的形状", "车轮的形状"),
        "square": ("四条边一样长的形状", "有二加二个角的形状"),
        "triangle": ("有三个角的形状", "有一加二个角的形状"),
        "star": ("有五个尖的形状", "夜里发光的形状"),
        "heart": ("爱的符号", "情人节的形状"),
        "ring": ("中间有洞的形状", "戴在手指上的东西"),
    },
}
COLOUR_HINTS: dict[str, Hints] = {
    "en": {
        "red": ("blood", "a ripe tomato"),
        "orange": ("a carrot", "a pumpkin"),
        "yellow": ("a lemon", "a banana"),
        "green": ("grass", "a frog"),
        "cyan": ("a glacier", "a swimming pool"),
        "blue": ("the sky", "the deep sea"),
        "purple": ("an aubergine", "lavender"),
        "pink": ("a flamingo", "a piglet"),
    },
    "zh": {
        "red": ("血", "熟番茄"),
        "orange": ("胡萝卜", "南瓜"),
        "yellow": ("柠檬", "香蕉"),
        "green": ("草", "青蛙"),
        "cyan": ("冰川", "游泳池"),
        "blue": ("天空", "深海"),
        "purple": ("茄子", "薰衣草"),
        "pink": ("火烈鸟", "小猪"),
    },
}
HINTS = {"shape": SHAPE_HINTS, "colour": COLOUR_HINTS}
RIDDLES = {
    "en": ("{shape} in the colour of {colour}", "draw {shape}, its colour is that of {colour}"),
    "zh": ("{colour}那种颜色的、{shape}", "画{shape}，颜色像{colour}"),
}
ONE_HIDDEN = {  # by which of the two is hinted at
    "shape": {
        "en": ("{shape} in {colour}", "draw {shape}, its colour is {colour}"),
        "zh": ("{colour}的、{shape}", "画{shape}，颜色是{colour}"),
    },
    "colour": {
        "en": ("a {shape} in the colour of {colour}", "draw a {shape}, its colour is that of {colour}"),
        "zh": ("{colour}那种颜色的{shape}", "画{shape}，颜色像{colour}"),
    },
}
SHORT = {
    "en": (
        *("{shape}", "a {shape}", "a {shape}, please", "a {colour} {shape}", "a {size} {shape}", "{colour} {shape}"),
        *(
            "a {shape} that is {colour}",
            "{shape} in {colour}, {size}",
            "{colour}, a {shape}",
            "a {shape}: {size}, {colour}",
        ),
    ),
    "zh": (
        *("{shape}", "一个{shape}", "请画一个{shape}", "{colour}{shape}", "一个{size}{shape}", "画{colour}{shape}"),
        *(
            "{shape}是{colour}",
            "一个{shape}，要{colour}，{size}",
            "{colour}的，一个{shape}",
            "{shape}：{size}，{colour}",
        ),
    ),
}
SHORT_HELD_OUT = {
    "en": (
        *("just a {shape}", "{shape}, {colour}", "give me a {size} {colour} {shape}"),
        *("{ground} i see a {colour} {shape}", "my wish is a {shape} {position}, {size}"),
    ),
    "zh": (
        *("就要{shape}", "{shape}，{colour}", "给我一个{size}{colour}{shape}"),
        *("{ground}里看见{colour}{shape}", "我的愿望是{position}的{shape}，{size}"),
    ),
}
RIDDLE_SHARE, OTHER_LANGUAGE_SHARE = 0.4, 0.2  # of training requests
ONE_HIDDEN_SHARE = 0.4  # of training riddles hint at the shape or at the colour, and name the other
PHRASED_SHARE = 0.7  # of training requests that are no riddles are put together by `phrasings`
THOUGHTS = {"en": ("asked: {}.", " added: {}.", ", ", "{} ({})"), "zh": ("要求：{}。", "补充：{}。", "，", "{}（{}）")}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, the scene that answers it, which attributes it states, and what was thought and answered."""

    text: str
    language: str  # of thought and answer
    scene: Scene
    stated: frozenset[str]
    thought: str
    answer: str


def training_request(scene: Scene, rng: random.Random) -> Request:
    """A request in either language, answered mostly in its own."""
    asked = rng.choice(("en", "zh"))
    answered = rng.choice(("en", "zh")) if rng.random() < 2 * OTHER_LANGUAGE_SHARE else asked
    if rng.random() < RIDDLE_SHARE:
        hide = half_riddle if rng.random() < ONE_HIDDEN_SHARE else riddle
        return hide(riddle_scene(scene, rng), asked, answered, rng)
    sentences = LANGUAGE_BY_CODE[asked]
    template = (
        training_template(asked, rng, SHORT_HELD_OUT[asked])
        if rng.random() < PHRASED_SHARE
        else rng.choice((*SHORT[asked], *sentences.partial_templates, *sentences.templates[:2]))
    )
    return plain_request(scene, template, asked, answered, rng)


def is_held_out_riddle(scene: Scene) -> bool:
    """Whether no riddle of this shape and colour is trained on."""
    return is_hash_held_out(f"riddle {scene.shape} {scene.colour}")


def riddle_scene(scene: Scene, rng: random.Random) -> Scene:
    """The scene with a shape and a colour that riddles are trained on, every colour as often."""
    colour = rng.choice(ATTRIBUTES["colour"])
    pairs = [replace(scene, shape=shape, colour=colour) for shape in SHAPES]
    return rng.choice([pair for pair in pairs if not is_held_out_riddle(pair)])


def held_out_request(scene: Scene, language: str, rng: random.Random) -> Request:
    """A request by a template that is never trained on."""
    return plain_request(scene, rng.choice(SHORT_HELD_OUT[language]), language, language, rng)


def plain_request(scene: Scene, template: str, asked: str, answered: str, rng: random.Random) -> Request:
    """What a template says of a scene, in synonyms; the rest is open."""
    named = frozenset(name for name in ("shape", "colour", "size", "position", "ground") if f"{{{name}}}" in template)
    text = fill(template, scene, asked, rng)
    return _request(text, scene, answered, {name: "" for name in named}, rng)


def riddle(scene: Scene, asked: str, answered: str, rng: random.Random) -> Request:
    """Shape and colour behind hints."""
    index = {name: rng.randrange(2) for name in HINTS}
    text = rng.choice(RIDDLES[asked]).format(**{name: _hint(scene, name, asked, index[name]) for name in index})
    return _request(text, scene, answered, {name: _hint(scene, name, answered, index[name]) for name in index}, rng)


def half_riddle(scene: Scene, asked: str, answered: str, rng: random.Random) -> Request:
    """Shape or colour behind a hint, the other in a synonym."""
    hidden, index = rng.choice(tuple(HINTS)), rng.randrange(2)
    template = rng.choice(ONE_HIDDEN[hidden][asked])
    text = fill(template.replace(f"{{{hidden}}}", _hint(scene, hidden, asked, index)), scene, asked, rng)
    solved = _hint(scene, hidden, answered, index)
    return _request(text, scene, answered, {name: solved if name == hidden else "" for name in HINTS}, rng)


def _hint(scene: Scene, name: str, language: str, index: int) -> str:
    return HINTS[name][language][getattr(scene, name)][index]


def _request(text: str, scene: Scene, language: str, asked: dict[str, str], rng: random.Random) -> Request:
    """With the thought and the answer; `asked` holds the hint of each attribute that was asked for, or nothing."""
    stated, added, comma, solved = THOUGHTS[language]
    words = {
        name: _term(LANGUAGE_BY_CODE[language], scene, name)
        for name in ("shape", "colour", "size", "position", "ground")
    }
    said = [solved.format(words[name], asked[name]) if asked[name] else words[name] for name in words if name in asked]
    rest = [words[name] for name in words if name not in asked]
    return Request(
        text=text,
        language=language,
        scene=scene,
        stated=frozenset(asked),
        thought=stated.format(comma.join(said)) + (added.format(comma.join(rest)) if rest else ""),
        answer=fill(rng.choice(LANGUAGE_BY_CODE[language].templates), scene, language, None),
    )


def _term(language: Language, scene: Scene, name: str) -> str:
    value = f"{scene.row} {scene.column}" if name == "position" else getattr(scene, name)
    return language.words[value][0]
