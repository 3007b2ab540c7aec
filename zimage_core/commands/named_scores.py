"""Scores that the command line knows by name, and rewards of them."""

from collections.abc import Sequence

from ..nano.judging.prompt_score import PromptScore
from ..scoring.lettering import RULES, LetteringScore, RapidReader
from ..scoring.score import Score
from ..scoring.statistics import STATISTICS
from ..training.rewards.reward import Reward

SCORES = (PromptScore.name, *STATISTICS, *RULES)


def score_of(name: str) -> Score:
    """The score of a name, lettering read by PP-OCRv6. Raises ValueError for another name."""
    if name not in SCORES:
        raise ValueError(f"there is no score {name}: choose {', '.join(SCORES)}")
    if name == PromptScore.name:
        return PromptScore()
    return STATISTICS[name] if name in STATISTICS else LetteringScore(RapidReader(), RULES[name])


def reward_of(given: Sequence[str]) -> Reward:
    """From "NAME" or "NAME:WEIGHT" each. Raises ValueError for what is neither."""
    scores, weights = list[Score](), list[float]()
    for each in given:
        name, colon, weight = each.rpartition(":")
        scores.append(score_of(name if colon else each))
        try:
            weights.append(float(weight) if colon else 1.0)
        except ValueError:
            raise ValueError(
                f"reward: {weight!r} of {each!r} is no weight: write NAME:WEIGHT, such as {name}:0.5"
            ) from None
    return Reward(scores=tuple(scores), weights=tuple(weights))
