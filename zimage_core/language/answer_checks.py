"""What an enhanced prompt must keep: quoted texts letter by letter, the language asked for, room in the encoder."""

from collections.abc import Callable
from typing import Literal

from ..han import HAN
from ..text.protected import quoted_texts
from .answer_slips import without_slips

CHINESE_SHARE = 0.3  # of letters that are Han characters: from there on a text is Chinese
NAMES = {"en": "English", "zh": "Chinese"}


def language_of(text: str) -> Literal["en", "zh"]:
    """By the share of Han characters among letters."""
    letters = [letter for letter in text if letter.isalpha()]
    share = len(HAN.findall(text)) / max(1, len(letters))
    return "zh" if share > CHINESE_SHARE else "en"


def language_of_request(request: str) -> Literal["en", "zh"]:
    """That of a request's own words: lettering decides no language, unless there is nothing else."""
    return language_of(unquoted(request))


def bare(answer: str, request: str) -> str:
    """An answer without what models put around one; line breaks become spaces, as prompts are one paragraph."""
    lines = (line.strip() for line in without_slips(answer, request).splitlines())
    return " ".join(line for line in lines if line)


def unquoted(text: str) -> str:
    """A text without what stands in quotation marks; the whole where that is all."""
    rest = text
    for quoted in quoted_texts(text):
        rest = rest.replace(quoted, " ")
    return rest if rest.strip() else text


def find_faults(
    request: str,
    answer: str,
    language: str,
    count_tokens: Callable[[str], int],
    max_tokens: int,
    *,
    keeps_lettering: bool = True,
) -> list[str]:
    """What makes an answer unfit, a sentence each; without `keeps_lettering` no quoted text may come."""
    if not answer:
        return ["nothing was answered"]
    answered = quoted_texts(answer)
    kept = {text[1:-1] for text in answered}
    wanted = quoted_texts(request)
    if keeps_lettering:
        faults = [f"the text {text} is missing" for text in wanted if text[1:-1] not in kept]
    else:
        faults = [f"it names {text}, which is wanted" for text in wanted if text[1:-1].lower() in answer.lower()]
    if (found := language_of(unquoted(answer))) != language:
        faults.append(f"it is written in {NAMES[found]}")
    if (count := count_tokens(answer)) > max_tokens:
        faults.append(f"it takes {count} tokens, more than the {max_tokens} there is room for")
    return faults
