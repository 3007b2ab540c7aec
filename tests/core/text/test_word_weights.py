"""Weighted words: what is a weight and what is text, and the embeddings against prompts that were encoded by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zimage_core.checkpoints import load_text_encoder
from zimage_core.config import NANO_TEXT
from zimage_core.nano.files import FOLDER
from zimage_core.text import load_tokenizer
from zimage_core.text.word_weights import Place, parse, place_of, reweighted, without

WEIGHTED = {
    "a (red:1.3) fox": ("a red fox", {"red": 1.3}),
    "(a fox in snow:0.5), (blur:-0.8)": ("a fox in snow, blur", {"a fox in snow": 0.5, "blur": -0.8}),
    "(a (red:1.5) fox:2)": ("a red fox", {"a ": 2, "red": 3, " fox": 2}),
    "一只（红色：1.3）狐狸": ("一只红色狐狸", {"红色": 1.3}),
    '("SALE":1.4) sign': ('"SALE" sign', {'"SALE"': 1.4}),
    "(plain) text (1)": ("(plain) text (1)", {}),
    'a sign "(SALE:2)"': ('a sign "(SALE:2)"', {}),
    r"\(red:1.3\) fox": ("(red:1.3) fox", {}),
    "(unclosed:1.3 fox": ("(unclosed:1.3 fox", {}),
    "(a (red:2) fox": ("(a red fox", {"red": 2}),
    "closed:1.3) fox": ("closed:1.3) fox", {}),
    "at (12:30) and (16:9)": ("at (12:30) and (16:9)", {}),
    "（红色：１．５），(blur:－１)": ("红色，blur", {"红色": 1.5, "blur": -1}),
    "a (model 3:1.5) (Windows 11:2) (16:4.0)": ("a model 3 Windows 11 16", {"model 3": 1.5, "Windows 11": 2, "16": 4}),
    "(4:3) and (at 12:30) and ( :2) and (　:2)": ("(4:3) and (at 12:30) and ( :2) and (　:2)", {}),
    "(:1.3) (red:) (red:nan)": ("(:1.3) (red:) (red:nan)", {}),
    "(red:1)": ("red", {}),
    '(6" tall:1.2)': ('6" tall', {'6" tall': 1.2}),
    "": ("", {}),
}


@pytest.mark.parametrize(("prompt", "expected"), WEIGHTED.items(), ids=WEIGHTED)
def test_a_weight_is_brackets_that_end_in_a_number_and_all_else_is_text(prompt, expected):
    text, spans = parse(prompt)
    assert (text, {text[span.start : span.end]: span.weight for span in spans}) == expected


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("a (red:5) fox", "The weight of 'red' is 5, and weights go from -4 to 4"),
        ("a (red:-4.01) fox", "is -4.01"),
        ("(a (red:3) fox:3)", "The weight of 'red' is 9, .* brackets inside brackets multiply"),
        (f"({'w' * 3000}:1{'0' * 400})", "'w{37}\\.\\.\\.' is inf"),
        (f"((red:0):1{'0' * 400})", "is nan"),
    ],
)
def test_a_weight_beyond_4_is_answered_in_a_sentence(prompt, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse(prompt)


@given(st.text(alphabet='ab (:1.5)\\"（：）', max_size=30))
def test_whatever_is_written_spans_lie_in_the_text_in_order_and_nothing_is_invented(prompt):
    try:
        text, spans = parse(prompt)
    except ValueError as error:
        assert "and weights go from -4 to 4" in str(error)
        return
    ends = [0, *(place for span in spans for place in (span.start, span.end)), len(text)]
    assert ends == sorted(ends)
    letters = iter(prompt)
    assert all(letter in letters for letter in text)  # a subsequence


@pytest.mark.parametrize(
    ("prompt", "left"),
    [("a (red:0) fox", "a fox"), ("(red:0) fox", "fox"), ("a fox (red:0), snow", "a fox, snow"), ("a (x:0)", "a")],
)
def test_a_word_is_left_out_with_its_space(prompt, left):
    text, (span,) = parse(prompt)
    assert without(text, span) == left


@pytest.fixture(scope="module")
def encode():
    encoder, tokenizer = load_text_encoder(FOLDER / "text_encoder", torch.float32), load_tokenizer(FOLDER / "tokenizer")
    assert encoder.config == NANO_TEXT

    def features(text):
        ids = tokenizer(text)
        return ids, encoder.encode([tuple(ids)])[0]

    return features


@torch.no_grad()
def test_weight_1_is_the_prompt_and_0_the_prompt_without_the_word_wherever_both_have_a_token(encode):
    ids, full = encode("a large red heart on a white background")
    fewer, short = encode("a large heart on a white background")
    place = place_of(ids, fewer)
    assert place == Place(2, 3, 2) and ids[:2] + ids[3:] == fewer
    assert torch.equal(reweighted(full, [(short, place, 1.0)]), full)
    none = reweighted(full, [(short, place, 0.0)])
    torch.testing.assert_close(torch.cat((none[:2], none[3:])), short)
    doubled, contrary = (reweighted(full, [(short, place, weight)]) for weight in (2.0, -1.0))
    torch.testing.assert_close(doubled + none, 2 * full)
    torch.testing.assert_close(contrary + full, 2 * none)


@torch.no_grad()
def test_embeddings_cut_at_a_length_are_those_of_the_whole_cut(encode):
    ids, full = encode("a large red heart on a white background")
    fewer, short = encode("a large heart on a white background")
    place = place_of(ids, fewer)
    whole = reweighted(full, [(short, place, 1.7)])
    torch.testing.assert_close(reweighted(full[:6], [(short, place, 1.7)]), whole[:6])


def test_a_word_whose_tokens_merge_with_its_neighbours_is_still_between_what_both_share():
    assert place_of([1, 2, 3, 4, 5], [1, 9, 5]) == Place(1, 4, 2)
    assert place_of([7, 7, 7], [7, 7]) == Place(2, 3, 2)
    assert place_of([7], []) == Place(0, 1, 0)
