"""The enhancer's guarantees, with a model that answers what the test gives it."""

from pathlib import Path

import pytest

from zimage_core.language.back_end import Text
from zimage_core.language.enhance import enhance
from zimage_core.language.instructions import find_instructions, read_instruction
from zimage_core.language.reply_cache import ReplyCache, cache_key
from zimage_core.language.token_choice import GREEDY
from zimage_core.language.wish import Enhanced, Wish

INSTRUCTION = read_instruction(find_instructions("enhance")["enhance.en"])
SIGN = 'a shop with a sign "OPEN 24h"'


class Answering:
    """Gives its answers in order, keeps the questions."""

    name = "test"
    reads_instructions = True
    sees = False

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def write(self, question):
        self.asked.append(question)
        yield Text("thought", "hm ")
        yield Text("answer", self.answers.pop(0))


class Reading(Answering):
    """Reads no instruction, but the words in capitals."""

    reads_instructions = False

    def lost(self, request, prompt):
        return [word for word in request.split() if word.isupper() and word not in prompt]

    def with_facts(self, request, prompt, language):
        return " ".join([prompt, *self.lost(request, prompt)])


def run(request, *answers, count_tokens=len, **wish):
    model = Answering(*answers)
    return enhance(request, model, INSTRUCTION, Wish(**wish), count_tokens), model


def test_a_good_answer_is_the_prompt_and_the_thought_is_apart():
    found, model = run("a fox", "```\nA red fox\n in snow.\n```")
    assert found == Enhanced(prompt="A red fox in snow.", reasoning="hm", problem="", changed=True)
    assert model.asked[0].prompt == "a fox" and "120 to 160 words, in English" in model.asked[0].instruction


@pytest.mark.parametrize(
    ("request_", "bad", "said"),
    [
        (SIGN, 'A shop, its sign says "Open 24h".', 'the text "OPEN 24h" is missing'),
        (SIGN, "A shop, its sign says OPEN 24h.", 'the text "OPEN 24h" is missing'),
        ("写着“早安”的杯子", "杯子上写着“早上好”。", "the text “早安” is missing"),
        ("a fox", "雪地里的一只红狐狸", "written in Chinese"),
        ("一只狐狸", "A fox in the snow", "written in English"),
        ("a fox", "A fox " + "very " * 200 + "big", "more than the 512"),
        ("a fox", "", "nothing was answered"),
    ],
)
def test_an_unfit_answer_is_asked_for_once_more_and_then_the_request_comes_back(request_, bad, said):
    found, model = run(request_, bad, bad)
    assert found.prompt == request_ and not found.changed and said in found.problem
    assert len(model.asked) == 2 and said in model.asked[1].prompt and bad in model.asked[1].prompt


def test_the_second_answer_counts_if_it_is_right():
    good = 'A small shop at night, a neon sign reads "OPEN 24h" in red.'
    found, _ = run(SIGN, "A shop.", good)
    assert found.prompt == good and not found.problem


@pytest.mark.parametrize(
    ("answers", "prompt", "note"),
    [
        (["A RED fox."], "A RED fox.", ""),
        (["A fox.", "One RED fox."], "One RED fox.", ""),
        (["A fox.", "One fox."], "One fox. RED", "The model lost this, so it was put back: RED."),
        (["A fox.", "雪地里的一只狐狸"], "a RED fox", ""),  # the language is wrong as well
    ],
)
def test_facts_that_a_back_end_reads_are_asked_for_with_another_seed_and_then_put_back(answers, prompt, note):
    model = Reading(*answers)
    found = enhance("a RED fox", model, INSTRUCTION, Wish(sampling=GREEDY, seed=7), len)
    assert (found.prompt, found.note, found.changed) == (prompt, note, prompt != "a RED fox")
    assert [(each.prompt, each.seed) for each in model.asked] == [("a RED fox", 7), ("a RED fox", 8)][: len(answers)]
    assert [each.sampling.temperature > 0 for each in model.asked] == [False, True][: len(answers)]


def test_the_language_can_be_chosen_and_quoted_text_stays_in_its_own():
    found, _ = run('a mug that says "Good morning"', '桌上有一个杯子，上面写着 "Good morning"。', language="zh")
    assert found.changed and found.prompt.endswith('"Good morning"。')


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ('招牌上写着"WELCOME TO OUR COFFEE SHOP"', '木头招牌上写着 "WELCOME TO OUR COFFEE SHOP"。'),
        ('a wall with "开门大吉欢迎光临"', 'A wall, red letters read "开门大吉欢迎光临".'),
        ('a sign "A  B"', 'A sign\n reads "A  B".'),
        ("Schild „BROT“ an der Wand", 'Ein Schild mit "BROT" an der Wand.'),
    ],
)
def test_lettering_decides_no_language_and_keeps_its_spaces(request_, answer):
    found, model = run(request_, answer)
    assert found.changed and len(model.asked) == 1, found.problem


def test_a_seed_at_the_end_of_its_range_goes_on_from_0_and_braces_in_lettering_are_no_slots():
    _, model = run('a mug "{length}"', "A mug.", "A mug.", seed=2**64 - 1)
    assert [each.seed for each in model.asked] == [2**64 - 1, 0]
    assert '"{length}"' in model.asked[0].instruction


def test_a_model_that_reads_no_instruction_is_not_asked_whether_a_request_needs_reasoning():
    model = Answering()
    model.reads_instructions = False
    wish = Wish(when="when it needs reasoning")
    assert "cannot tell" in enhance("2 + 2 foxes", model, INSTRUCTION, wish, len).problem and not model.asked


def test_off_and_an_empty_request_ask_nothing():
    for request, when in (("a fox", "off"), ("  ", "always")):
        found, model = run(request, when=when)
        assert found == Enhanced(prompt=request, changed=False) and not model.asked


@pytest.mark.parametrize(("decision", "prompt"), [("No.", "2 + 2 foxes"), ("Yes", "Four foxes in a row.")])
def test_only_what_has_to_be_worked_out_is_enhanced_where_that_was_asked_for(decision, prompt):
    found, model = run("2 + 2 foxes", decision, "Four foxes in a row.", when="when it needs reasoning")
    assert found.prompt == prompt and model.asked[0].budgets.thought == 0


def test_the_same_words_come_from_the_cache_and_anything_else_does_not(tmp_path: Path):
    cache, wish = ReplyCache(tmp_path / "new"), Wish()
    key = cache_key("a fox", "model", INSTRUCTION, wish)
    assert cache.get(key) is None
    kept = Enhanced(prompt="一只狐狸", reasoning="r")
    cache.put(key, kept)
    assert cache.get(key) == kept
    others = [
        cache_key("a cat", "model", INSTRUCTION, wish),
        cache_key("a fox", "other", INSTRUCTION, wish),
        cache_key("a fox", "model", INSTRUCTION, Wish(seed=1)),
        cache_key("a fox", "model", read_instruction(find_instructions("enhance")["enhance.zh"]), wish),
    ]
    assert len({key, *others}) == 5
    (tmp_path / "new" / f"{key}.json").write_text("{")
    assert cache.get(key) is None  # a broken file is asked again
    cache.put(key, Enhanced(prompt="x", problem="failed"))
    assert cache.get(key) is None
