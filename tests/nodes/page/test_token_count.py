"""The token count agrees with the tokenizers themselves, and names what lies beyond the limit."""

import importlib

import pytest

PROMPTS = [
    "",
    "a red circle",
    "一只红色的狐狸坐在雪地里",
    "emoji 🦊🏔️ and مرحبا بالعالم",
    "(words:1.3) {a|b} \\ <|im_end|>",
]


@pytest.fixture(scope="module")
def token_count(pack):
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.token_count")


@pytest.fixture(scope="module")
def clip(pack, token_count):
    """The built-in encoder."""
    return pack.bridge_text.load_text_encoder(
        pack.bridge_files.path_of(pack.core_networks.TEXT_ENCODER, token_count.files.BUILT_IN),
        token_count.files.BUILT_IN_TOKENIZER,
    )


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_count_is_that_of_the_qwen_tokenizer_on_the_chat_template(comfy, token_count, prompt):
    from pathlib import Path

    from transformers import Qwen2Tokenizer

    qwen = Qwen2Tokenizer.from_pretrained(str(Path(comfy.__path__[0]) / "text_encoders" / "qwen25_tokenizer"))
    turn = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    assert token_count.measure(prompt, "qwen_3_4b.safetensors", "prompt").tokens == len(qwen(turn)["input_ids"])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_count_is_what_the_encode_node_reports_of_the_built_in_encoder(pack, token_count, clip, prompt):
    _, tokens = pack.bridge_prompts.encode(clip, prompt, is_cut=False, remember="off")
    n_tokens = token_count.measure(prompt, token_count.files.BUILT_IN, "prompt").tokens
    assert tokens.describe().startswith(f"{n_tokens} of 512")


@pytest.mark.parametrize("words", [0, 500, 504, 505, 506, 507, 508, 509, 600])
def test_the_words_beyond_the_limit_are_exactly_those_that_do_not_fit(token_count, words):
    template = token_count.measure("", "qwen", "prompt").tokens
    length = token_count.measure(" fox" * words, "qwen", "prompt")
    opening = 3  # <|im_start|>user and a line break
    assert length.tokens == template + words
    assert length.beyond == " fox" * max(0, opening + words - 512)


def test_half_of_an_emoji_is_counted_and_encoded_as_one_sign(pack, token_count, clip):
    _, tokens = pack.bridge_prompts.encode(clip, "a \ud83e circle", is_cut=False, remember="off")
    for encoder, template in ((token_count.files.BUILT_IN, "prompt"), ("qwen", "prompt"), ("qwen", "edit")):
        broken, mended = (token_count.measure(text, encoder, template) for text in ("a \ud83e circle", "a ? circle"))
        assert broken == mended
    n_tokens = token_count.measure("a ? circle", token_count.files.BUILT_IN, "prompt").tokens
    assert tokens.describe().startswith(str(n_tokens))


def test_an_instruction_about_pictures_has_a_template_of_its_own(token_count):
    plain, edit = (token_count.measure("make it red", "qwen", template).tokens for template in ("prompt", "edit"))
    assert (plain, edit) == (3 + 3 + 5, 1 + 3 + 6)


def test_a_character_cut_in_two_leaves_no_broken_piece(token_count):
    for words in range(500, 512):
        assert "\ufffd" not in token_count.measure(" fox" * words + "𠮷𠮷𠮷🦊", "qwen", "prompt").beyond
