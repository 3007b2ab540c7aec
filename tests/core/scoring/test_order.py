"""Numbers of built-in scores do not depend on the batch: its order, or how many pictures are measured at once."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from zimage_core.nano.judging.prompt_score import PromptScore
from zimage_core.nano.judging.scene_score import SceneDetector
from zimage_core.scoring.detection import GenEvalScore
from zimage_core.scoring.score import Request, Score
from zimage_core.scoring.statistics import STATISTICS

WORDS = "Harbour", "Bread", "Seven"
RULE = {"tag": "single_object", "include": [{"class": "circle", "count": 1}]}
SCORES: tuple[Score, ...] = (*STATISTICS.values(), PromptScore(), GenEvalScore(SceneDetector()))


def pictures() -> list[Image.Image]:
    """Different in everything that is measured."""
    made: list[Image.Image] = []
    for index, word in enumerate(WORDS):
        levels = np.random.default_rng(index).integers(200, 220 + 10 * index, (192, 192, 3), dtype=np.uint8)
        picture = Image.fromarray(levels)
        draw = ImageDraw.Draw(picture)
        draw.ellipse((60, 20, 100 + 20 * index, 60 + 20 * index), fill="red")
        draw.text((96, 150), word, font=ImageFont.load_default(40), fill="black", anchor="mm")
        made.append(picture)
    return made


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_a_score_sees_each_picture_alone(score):
    shown = pictures()
    asked = [Request(prompt="a red circle", lettering=(word,), rules=RULE) for word in WORDS]
    together = score(shown, asked)
    assert all(each.value is not None for each in together)
    assert score(shown[::-1], asked[::-1]) == together[::-1]
    assert [each for one in zip(shown, asked, strict=True) for each in score([one[0]], [one[1]])] == together
