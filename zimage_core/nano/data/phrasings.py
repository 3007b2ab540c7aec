"""Request templates put together at random, so that nano's writer learns words in any order, not a list of sentences.

A request opens in one of many ways or with words that mean nothing, names some attributes in some order, and may end
politely. Templates that are held out of training never come of it.
"""

import random
from itertools import count

NAMED_CHANCE = {"size": 0.5, "colour": 0.6, "position": 0.4, "ground": 0.3}  # the shape is always named

OPENINGS = {
    "en": (
        *("", "", "", "draw ", "please draw ", "paint ", "i want ", "i would like ", "show us ", "make ", "create "),
        *("can you paint ", "i need ", "one more picture: ", "a picture of ", "let there be ", "only ", "here: "),
        *(
            "hello, ",
            "next, ",
            "for my mother, ",
            "well, ",
            "something with ",
            "could you try ",
            "think of ",
            "simply ",
        ),
    ),
    "zh": (
        *("", "", "", "画", "请画", "我想要", "我要", "帮我画", "想看", "做一个图：", "再来一张：", "一张画，", "只要"),
        *("你好，", "接下来，", "给妈妈画", "能不能画", "随便画", "需要", "试试", "图里有", "想一想", "麻烦画"),
    ),
}
ENDINGS = {
    "en": ("", "", "", "", " please", ", please", ".", "!", ", thanks", ", now"),
    "zh": ("", "", "", "", "。", "！", "，谢谢", "吧", "，好吗"),
}
PLACED_BEFORE_CHANCE = 0.4  # of Chinese places and grounds stand before what is there
ARTICLES = {"en": ("a ", "a ", "one ", "the ", "some ", ""), "zh": ("一个", "一个", "一张", "这个", "")}
SEPARATORS = {"en": (", ", ", ", " ", "; ", " and "), "zh": ("，", "，", "、", "；", "")}


def training_template(language: str, rng: random.Random, held_out: tuple[str, ...]) -> str:
    """A template in one language, none of those held out."""
    drawn = (_template(language, rng) for _ in count())
    return next(template for template in drawn if template not in held_out)


def _template(language: str, rng: random.Random) -> str:
    named = [name for name, chance in NAMED_CHANCE.items() if rng.random() < chance]
    before = [name for name in ("size", "colour") if name in named and rng.random() < 0.6]
    gap = " " if language == "en" else ""
    noun = rng.choice(ARTICLES[language]) + gap.join(f"{{{name}}}" for name in (*before, "shape"))
    for name in ("position", "ground"):
        if language == "zh" and name in named and rng.random() < PLACED_BEFORE_CHANCE:
            before.append(name)
            noun = f"{{{name}}}{rng.choice(('的', '有', ''))}{noun}"
    parts = [f"{{{name}}}" for name in named if name not in before]
    rng.shuffle(parts)
    parts.insert(0 if rng.random() < 0.7 else rng.randint(0, len(parts)), noun)
    return rng.choice(OPENINGS[language]) + rng.choice(SEPARATORS[language]).join(parts) + rng.choice(ENDINGS[language])
