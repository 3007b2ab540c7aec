"""Variations differ, or there are fewer of them; negative prompts, edit instructions and changes of a prompt."""

import pytest
from PIL import Image

from zimage_core.language.back_end import Text
from zimage_core.language.enhance import enhance
from zimage_core.language.instructions import find_instructions, read_instruction
from zimage_core.language.variations import likeness, variations
from zimage_core.language.wish import Enhanced, Wish
from zimage_core.language.writing_tasks import EDIT, NEGATIVE, PROMPT

FOREST = "A red fox stands in a dark forest, seen from the side, in the last light of the day."
BEACH = "From above: on a white beach at noon lies a red fox, its long shadow points at the sea."


class Answering:
    """Gives its answers in order, keeps the questions."""

    name = "test"
    reads_instructions = True

    def __init__(self, *answers, sees=False):
        self.answers, self.asked, self.sees = list(answers), [], sees

    def write(self, question):
        self.asked.append(question)
        yield Text("answer", self.answers.pop(0))


def run(request, *answers, pictures=(), sees=False, language="en", **wish):
    model, wish = Answering(*answers, sees=sees), Wish(**wish)
    instruction = read_instruction(find_instructions(wish.task.name)[f"{wish.task.name}.{language}"])
    return enhance(request, model, instruction, wish, len, pictures=pictures), model


def test_likeness_of_a_text_to_itself_is_1_and_of_texts_without_a_common_piece_0():
    assert likeness(FOREST, FOREST.upper()) == 1 and likeness("abcdef", "uvwxyz") == 0
    assert likeness("abcd", "bcde") == pytest.approx(1 / 3)  # abc bcd, bcd cde
    assert 0 < likeness(FOREST, BEACH) < 0.5


def test_variations_have_seeds_of_their_own_are_told_the_earlier_and_written_again_where_they_are_alike():
    answers, wishes = [FOREST, FOREST.replace("red", "Red"), BEACH, FOREST, BEACH, FOREST], []

    def write(wish):
        wishes.append(wish)
        return Enhanced(prompt=answers[len(wishes) - 1])

    found = variations(write, Wish(seed=2**64 - 1), 3)
    assert [each.prompt for each in found] == [FOREST, BEACH]  # the third came out as an earlier one three times
    assert [wish.unlike for wish in wishes] == [(), (FOREST,), (FOREST,), *3 * [(FOREST, BEACH)]]
    assert len({wish.seed % 2**32 for wish in wishes}) == 6 and all(0 <= wish.seed < 2**64 for wish in wishes)
    assert variations(lambda wish: Enhanced(prompt="a fox", changed=False), Wish(), 4) == [
        Enhanced(prompt="a fox", changed=False)
    ]


def test_a_model_reads_which_texts_to_differ_from():
    _, model = run("a fox", BEACH, unlike=(FOREST,))
    assert f"1. {FOREST}" in model.asked[0].instruction and model.asked[0].prompt == "a fox"


def test_a_negative_prompt_names_no_lettering_that_is_wanted_and_none_is_better_than_the_request():
    found, model = run('a sign "OPEN"', "blurry, open sign", "cartoon, clutter", task=NEGATIVE)
    assert found.prompt == "cartoon, clutter" and 'it names "OPEN"' in model.asked[1].prompt
    assert "10 to 20 words, in English" in model.asked[0].instruction
    lost, _ = run('a sign "OPEN"', "open", "open", task=NEGATIVE)
    assert (lost.prompt, lost.changed) == ("", False) and lost.problem
    assert run("a fox", task=NEGATIVE, when="off")[0].prompt == ""


@pytest.mark.parametrize("sees", [True, False])
def test_an_edit_instruction_keeps_lettering_and_only_a_model_that_sees_gets_the_pictures(sees):
    picture = Image.new("RGB", (4, 4))
    found, model = run(
        'write "HI"', 'Write "HI" on the wall.', pictures=(picture,), sees=sees, task=EDIT, earlier="Make the wall red."
    )
    assert found.prompt.startswith("Write") and model.asked[0].pictures == ((picture,) if sees else ())
    assert "Make the wall red." in model.asked[0].instruction and '"HI"' in model.asked[0].instruction
    assert run('write "HI"', "Write it.", "Write it.", task=EDIT)[0].prompt == 'write "HI"'


def test_a_request_that_changes_a_prompt_is_told_it_and_never_lost():
    changed, model = run("make him red", FOREST, earlier="a fox in a forest")
    assert changed.prompt == FOREST and "a fox in a forest" in model.asked[0].instruction
    assert run("make him red", "", "", earlier="a fox in a forest")[0].prompt == "a fox in a forest make him red"


def test_a_model_that_reads_no_instruction_writes_prompts_only():
    model = Answering()
    model.reads_instructions = False
    for task in (NEGATIVE, EDIT):
        instruction = read_instruction(find_instructions(task.name)[f"{task.name}.en"])
        assert "writes prompts only" in enhance("a fox", model, instruction, Wish(task=task), len).problem
    assert not model.asked


@pytest.mark.parametrize("task", [PROMPT, NEGATIVE, EDIT], ids=lambda task: task.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_has_an_instruction_in_both_languages_whose_slots_are_filled(task, language):
    found = read_instruction(find_instructions(task.name)[f"{task.name}.{language}"])
    request = "一只狐狸" if language == "zh" else "a fox"
    _, model = run(request, "雪地里的红狐狸" if language == "zh" else "A red fox", task=task, language=language)
    assert found.language == language and "{" not in model.asked[0].instruction
