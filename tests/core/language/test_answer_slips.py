"""What models put around an answer, a row each, and what stays because it belongs to the picture."""

import pytest

from zimage_core.language.answer_checks import bare

FOX = "A red fox in snow."


@pytest.mark.parametrize(
    "answer",
    [
        f'"{FOX}"',
        f"“{FOX}”",
        f"'{FOX}'",
        f"**{FOX}**",
        f"`{FOX}`",
        f"```\n{FOX}\n```",
        f"```text\n{FOX}\n```\n",
        f"Here is the enhanced prompt:\n\n```\n{FOX}\n```",
        f"Here is the prompt: {FOX}",
        f"Here's your enhanced image prompt:\n\n{FOX}",
        f"Sure! Here is a rewritten version of your request:\n{FOX}",
        f"Certainly!\n\n{FOX}",
        f"Prompt: {FOX}",
        f"**Prompt:** {FOX}",
        f"**Enhanced Prompt**:\n{FOX}",
        f"### Final prompt\n\n{FOX}",
        f'Enhanced prompt: "{FOX}"',
        f'{{"prompt": "{FOX}"}}',
        f"{FOX}\n\nNote: I kept the fox red.",
        f"{FOX}\n\n(6 words)",
        f"{FOX}\n\nLet me know if you want another one!",
        f'Sure! Here is the final prompt:\n\n"{FOX}"\n\nNote: short.',
        f"提示词：{FOX}",
        f"好的，以下是优化后的提示词：\n{FOX}",
        f"{FOX}\n（字数：6）",
    ],
)
def test_what_stands_around_an_answer_is_taken_off(answer):
    assert bare(answer, "a fox") == FOX


@pytest.mark.parametrize(
    ("answer", "request_", "expected"),
    [
        ('"OPEN" on the left, on the right "CLOSED"', "two signs", None),
        ('"A wall with "OPEN" in red."', "a wall", 'A wall with "OPEN" in red.'),
        ("“墙上写着“开门”两个字。”", "墙", "墙上写着“开门”两个字。"),
        ("“开门”和“关门”", "两块牌子", None),
        ('"OPEN"', 'letters "OPEN"', None),
        ('"a fox"', '"a fox" as a title', None),
        ("Prompt: a green cursor blinks.", "Prompt: a terminal", None),
        ("Here is a fox: red, small, in snow.", "a fox", None),
        ("'Tis the season, says the fox's sign", "a fox", None),
        ("A version of the fox: blue.", "a fox", None),
        ("A prompt box on a screen: white.", "a screen", None),
        ('{"a": "b", "c": "d"}', "json on a screen", None),
        ("A fox.\nIn snow.", "a fox", "A fox. In snow."),
        ("Prompt:", "a fox", None),
        ("", "a fox", None),
    ],
)
def test_what_belongs_to_the_picture_stays(answer, request_, expected):
    assert bare(answer, request_) == (answer if expected is None else expected)
