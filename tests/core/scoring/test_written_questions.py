"""Questions as a person writes them: who stands below whom, which answer is right, and what then counts."""

import pytest

from zimage_core.scoring.judging import Question, check_yes_or_no, questions_of, questions_written
from zimage_core.scoring.judging.questions import with_parents
from zimage_core.scoring.score import Request

WRITTEN = """Is there a fox?
  Is the fox red?
\tIs its red tail long?

Is there snow? = NO
  How many stars? \uff1d two
"""


def test_a_question_stands_below_all_that_it_is_indented_under():
    questions = questions_of(Request(rules=questions_written(WRITTEN)))
    assert questions == {
        1: Question(text="Is there a fox?"),
        2: Question(text="Is the fox red?", parents=(1,)),
        3: Question(text="Is its red tail long?", parents=(1, 2)),
        4: Question(text="Is there snow?", answer="NO"),
        5: Question(text="How many stars?", answer="two", parents=(4,)),
    }
    assert with_parents({1: 0.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0}, questions) == {1: 0, 2: 0, 3: 0, 4: 1, 5: 1}
    assert questions_of(Request(rules=questions_written(" \n"))) == {}


def test_an_answer_that_is_neither_yes_nor_no_is_refused_where_only_these_are_asked_for():
    check_yes_or_no(questions_written("Is it? = No\nIs it?"))
    with pytest.raises(ValueError, match="'two' is neither yes nor no"):
        check_yes_or_no(questions_written(WRITTEN))
