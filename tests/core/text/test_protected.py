"""Words found in tokens: against the tokenizers' own offsets, of nano's and of Qwen's vocabulary."""

import pytest

from zimage_core.nano.files import FOLDER
from zimage_core.text.protected import quoted_texts, text_of, tokens_of

PROMPT = 'a sign that says "Café 山 9€" beside a red heart, reddish light, 红色爱心 and another HEART'


@pytest.fixture(scope="module")
def fast():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(FOLDER / "tokenizer" / "tokenizer.json"))


@pytest.mark.parametrize("word", ["heart", "red", "红色", "山", "Café", "€", "red heart", '"Café 山 9€"'])
def test_the_tokens_are_those_that_the_tokenizer_itself_places_there(fast, word):
    encoding = fast.encode(PROMPT, add_special_tokens=False)
    expected, lowered = set(), PROMPT.lower()
    start = lowered.find(word.lower())
    while start >= 0:
        end = start + len(word)
        is_whole = not word.isascii() or word == "€" or not lowered[end : end + 1].isalpha()
        if is_whole:
            expected |= {n for n, (low, high) in enumerate(encoding.offsets) if low < end and start < high}
        start = lowered.find(word.lower(), end)
    assert tokens_of([word], encoding.tokens)[word] == expected and expected


def test_text_comes_back_and_what_is_not_there_has_no_tokens(fast):
    tokens = fast.encode(PROMPT, add_special_tokens=False).tokens
    assert text_of(tokens) == PROMPT.lower()  # nano's vocabulary knows no capitals
    assert tokens_of(["star", " ", ""], tokens) == {"star": set(), " ": set(), "": set()}
    assert tokens_of(["heart"], [None, *tokens])["heart"] == {n + 1 for n in tokens_of(["heart"], tokens)["heart"]}


def test_quotation_marks_of_both_languages_count_and_apostrophes_do_not():
    assert quoted_texts("it's \"OPEN\" or “closed” and 「营业中」 isn't") == ['"OPEN"', "“closed”", "「营业中」"]
