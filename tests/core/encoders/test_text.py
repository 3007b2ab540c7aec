"""Templates, token ids and truncation, from the specification; the encoder's batching against running alone."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import tiny
from comfyui_install import QWEN_VOCABULARY, needs_comfyui
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.text import TEMPLATE, chunk_templates, load_tokenizer, tokenize, tokenize_chunks
from zimage_core.text.qwen3 import apply_rope, rope_table


@pytest.mark.slow
@needs_comfyui
def test_token_ids_of_the_published_vocabulary():
    tokenizer = load_tokenizer(QWEN_VOCABULARY)
    prefix, suffix = (151644, 872, 198), (151645, 198, 151644, 77091, 198)
    expected = {
        "": (),
        "a red fox in the snow": (64, 2518, 38835, 304, 279, 11794),
        "造相": (66078, 48921),
    }
    for prompt, ids in expected.items():
        assert tokenize(tokenizer, prompt).ids == prefix + ids + suffix


@needs_comfyui
def test_chunks_around_pictures_have_the_published_ids():
    tokenizer = load_tokenizer(QWEN_VOCABULARY)
    first, middle, last = (151644, 872, 198, 151652), (151653, 151652), (151653, 151645)
    words = (151653, 66078, 48921, 151645, 198, 151644, 77091, 198, 151652)
    assert [chunk.ids for chunk in tokenize_chunks(tokenizer, "造相", 1)] == [first, words, last]
    assert [chunk.ids for chunk in tokenize_chunks(tokenizer, "造相", 3)] == [first, middle, middle, words, last]
    assert tokenize_chunks(tokenizer, "造相", 0) == [tokenize(tokenizer, "造相")]


def test_chunks_put_together_are_one_conversation_with_a_place_for_every_picture():
    for n in (1, 2, 5):
        whole = "".join(chunk_templates(n))
        assert whole.count("<|vision_start|><|vision_end|>") == n + 1  # the references and the picture to draw
        assert whole.count("{}") == 1


def letters(text):
    return [ord(letter) for letter in text]


def test_a_long_prompt_is_cut_like_the_reference_or_kept_like_comfyui_and_says_so():
    whole = tokenize(letters, "x" * 700, limit=None)
    cut = tokenize(letters, "x" * 700, limit=512)
    overhead = len(TEMPLATE) - 2
    assert (len(whole.ids), whole.n_total, whole.is_truncated) == (700 + overhead, 700 + overhead, False)
    assert (cut.ids, cut.n_total, cut.is_truncated) == (whole.ids[:512], 700 + overhead, True)
    assert f"{700 + overhead} tokens" in cut.describe()
    assert "cut off" in cut.describe()
    assert "all kept" in whole.describe()
    assert tokenize(letters, "short").describe() == f"{5 + overhead} of 512 tokens"


def test_braces_in_a_prompt_are_only_text():
    assert tokenize(letters, "{0} {x}").ids == tuple(letters(TEMPLATE.replace("{}", "{0} {x}")))


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_prompts_encoded_together_are_what_they_are_alone():
    encoder = tiny.text_encoder()
    prompts = [(5, 6, 7), tuple(range(40)), (9,)]
    for prompt, embeddings in zip(prompts, encoder.encode(prompts), strict=True):
        assert embeddings.shape == (len(prompt), 48)
        torch.testing.assert_close(embeddings, encoder.encode([prompt])[0], atol=1e-5, rtol=1e-5)


def test_a_token_sees_only_what_stands_before_it():
    encoder = tiny.text_encoder()
    first, second = encoder.encode([(1, 2, 3, 4), (1, 2, 3, 99)])
    torch.testing.assert_close(first[:3], second[:3])
    assert not torch.allclose(first[3], second[3])


def test_the_embedding_table_may_stay_behind_and_only_rows_travel():
    encoder = tiny.text_encoder()
    encoder.model.layers.to("meta")  # a device that is not the table's
    first, second = encoder.encode([(1, 2, 3), (4,)])
    assert (first.device.type, second.device.type) == ("meta", "meta")
    assert (first.shape, second.shape) == ((3, 48), (1, 48))


def test_rotation_turns_pairs_by_their_tokens_angle(generator):
    """Against complex numbers: the pair (i, i + e/2) times exp(i position frequency)."""
    x = torch.randn(2, 5, 3, 8, generator=generator, dtype=torch.float64)
    angle = torch.arange(5)[:, None, None] * 1e4 ** -(torch.arange(0, 8, 2) / 8)
    expected = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones_like(angle), angle)
    found = apply_rope(x, rope_table(5, 8, 1e4, x.device))
    torch.testing.assert_close(found, torch.cat((expected.real, expected.imag), -1), atol=1e-5, rtol=0)


def test_gradients_pass_a_layer_as_finite_differences_have_them(generator):
    layer = next(iter(tiny.text_encoder().model.layers)).double()
    rope = rope_table(3, tiny.TEXT.head_dim, 1e6, torch.device("cpu"))
    x = torch.randn(1, 3, tiny.TEXT.dim, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, rope), x, fast_mode=True)


class Operations(TorchDispatchMode):
    """Counts what does work: views do none."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view and "_unsafe_view" not in func.name()
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_a_layer_has_few_operations():
    """It had 50, in bfloat16 62, before queries and keys were rotated together. Here a norm counts as five or seven."""
    encoder = tiny.text_encoder()
    rope = rope_table(8, tiny.TEXT.head_dim, 1e6, torch.device("cpu"))
    for dtype, most in ((torch.float32, 40), (torch.bfloat16, 49)):
        layer, x = next(iter(encoder.to(dtype).model.layers)), torch.zeros(1, 8, tiny.TEXT.dim, dtype=dtype)
        with Operations() as operations:
            layer(x, rope)
        assert 0 < operations.count <= most


def test_the_built_in_tokenizer_reads_both_languages_letter_case_aside():
    tokenizer = load_tokenizer(FOLDER / TOKENIZER)
    assert tokenize(tokenizer, "A Red Circle").ids == tokenize(tokenizer, "a red circle").ids
    assert len(tokenize(tokenizer, "白色背景上中间有一个大红色圆形").ids) < 32
    assert len(tokenize(tokenizer, "").ids) == 8
