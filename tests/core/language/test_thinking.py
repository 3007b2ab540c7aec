"""Thoughts and answers, written by a model that says what the test gives it."""

import pytest
import torch

from zimage_core.language import GREEDY, Budgets, LanguageModel, Marks, Writer, think_and_answer
from zimage_core.text.key_value_cache import KeyValueCache

OPEN, CLOSE, BREAK, STOP, PROMPT = (1, 2), (3, 4), 5, 6, 9
MARKS = Marks(open=OPEN, close=CLOSE, forced_close=(BREAK, *CLOSE, BREAK), stop=(STOP,))


class ScriptedModel(LanguageModel):
    """Writes tokens in order, whatever it reads; keeps what it read."""

    def __init__(self, *tokens):
        self._tokens, self.read = list(tokens), []

    def new_cache(self):
        return KeyValueCache(1)

    def logits(self, ids, cache):
        self.read.extend(ids)
        return torch.nn.functional.one_hot(torch.tensor(self._tokens.pop(0) if self._tokens else STOP), 100).float()


def write(model, thought, answer):
    pieces = list(think_and_answer(Writer(model, [PROMPT], GREEDY, 0), Budgets(thought=thought, answer=answer), MARKS))
    return [piece.token for piece in pieces if piece.kind == "thought"], [
        piece.token for piece in pieces if piece.kind == "answer"
    ]


def test_a_thought_that_ends_by_itself_is_apart_from_the_answer():
    model = ScriptedModel(10, 3, 11, *CLOSE, 20, 21, STOP)
    assert write(model, 50, 50) == ([10, 3, 11], [20, 21])  # a token of the mark alone is part of the thought
    assert model.read == [PROMPT, *OPEN, 10, 3, 11, *CLOSE, 20, 21]


@pytest.mark.parametrize("ending", [(12, 13), (12, STOP)], ids=["budget", "end of text"])
def test_a_thought_that_does_not_end_is_closed_and_the_answer_asked_for_once(ending):
    model = ScriptedModel(10, 11, *ending, 20, STOP)
    thought, answer = write(model, 4, 50)
    assert thought == [10, 11, *(token for token in ending if token != STOP)] and answer == [20]
    asked = model.read[len(thought) + 3 :]
    assert [token for token in asked if token != STOP] == [BREAK, *CLOSE, BREAK, 20]


def test_an_answer_keeps_its_budget_and_without_thinking_there_is_no_mark():
    assert write(ScriptedModel(*range(20, 40)), 0, 5) == ([], [20, 21, 22, 23, 24])
    model = ScriptedModel(20, STOP)
    write(model, 0, 5)
    assert model.read == [PROMPT, 20]


def test_half_a_closing_mark_at_the_end_of_the_budget_is_thought():
    assert write(ScriptedModel(10, 3, 20, STOP), 2, 5) == ([10, 3], [20])


def test_an_answer_of_no_tokens_is_refused():
    with pytest.raises(ValueError, match="the answer needs one"):
        Budgets(answer=0)
