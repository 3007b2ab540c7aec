"""Text from tokens: what came piece by piece is the whole, and no piece holds half a character."""

from hypothesis import given
from hypothesis import strategies as st

from zimage_core.language import TextStream
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.text import load_detokenizer, load_tokenizer


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_pieces_are_whole_characters_and_together_the_text(text):
    tokens = load_tokenizer(FOLDER / TOKENIZER)(text)
    stream = TextStream(load_detokenizer(FOLDER / TOKENIZER))
    pieces = [stream.add(token) for token in tokens]
    assert stream.text == "".join(pieces) == load_detokenizer(FOLDER / TOKENIZER)(tokens)
