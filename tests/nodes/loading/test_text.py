"""Our CLIP against ComfyUI's own on the same random weights."""

import gc
import importlib

import pytest
import torch
from safetensors.torch import save_file

import tiny
from bench.counter import Counter
from zimage_core.checkpoints import TEXT_ENCODER
from zimage_core.config import TextConfig
from zimage_core.nano.files import FOLDER, TOKENIZER, file_of

# Native fixes the head width at 128.
CONFIG = TextConfig(vocab_size=151936, dim=32, n_layers=3, n_heads=2, n_kv_heads=1, head_dim=128, ffn_dim=64)
NATIVE = {
    "vocab_size": CONFIG.vocab_size,
    "hidden_size": CONFIG.dim,
    "intermediate_size": CONFIG.ffn_dim,
    "num_hidden_layers": CONFIG.n_layers,
    "num_attention_heads": CONFIG.n_heads,
    "num_key_value_heads": CONFIG.n_kv_heads,
}
PROMPTS = ("a red fox in the snow", "", "造相", "(weights:1.3) are only text", "long " * 700)


@pytest.fixture(scope="module")
def state(comfy):
    """A whole published file: all layers and the final norm."""
    from comfy.text_encoders.z_image import te

    empty = te()(dtype=torch.float32, model_options={"qwen3_4b_model_config": NATIVE}).qwen3_4b.transformer.state_dict()
    generator = torch.Generator().manual_seed(1)
    return {key: tiny.random_value(key, empty[key].shape, generator) for key in sorted(empty)}


@pytest.fixture(scope="module")
def our_clip(pack, state, tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "qwen_3_4b.safetensors"
    save_file(state, file)
    return pack.bridge_text.load_text_encoder(str(file), None)


@pytest.fixture(scope="module")
def native_clip(comfy, state):
    import comfy.sd
    from comfy.supported_models_base import ClipTarget
    from comfy.text_encoders.z_image import ZImageTokenizer, te

    options = {"qwen3_4b_model_config": NATIVE, "dtype": torch.float32}
    return comfy.sd.CLIP(ClipTarget(ZImageTokenizer, te()), state_dict=[dict(state)], model_options=options)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS, ids=["words", "empty", "chinese", "weights", "long"])
def test_stock_encoding_on_our_clip_gives_natives_conditioning(our_clip, native_clip, prompt):
    assert our_clip.tokenize(prompt) == native_clip.tokenize(prompt)
    expected = native_clip.encode_from_tokens(native_clip.tokenize(prompt))
    found = our_clip.encode_from_tokens(our_clip.tokenize(prompt))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_our_encode_node_gives_the_stock_nodes_conditioning_on_either_clip(pack, our_clip, native_clip):
    for clip in (our_clip, native_clip):
        conditioning, tokens = pack.bridge_prompts.encode(clip, PROMPTS[0], is_cut=False)
        stock = clip.encode_from_tokens_scheduled(clip.tokenize(PROMPTS[0]))
        assert torch.equal(conditioning[0][0], stock[0][0])
        assert tokens.describe() == "14 of 512 tokens"


def test_a_long_prompt_is_cut_at_512_or_kept_and_the_count_is_told(pack, our_clip):
    kept, told = pack.bridge_prompts.encode(our_clip, PROMPTS[4], is_cut=False)
    n_total = kept[0][0].shape[1]
    assert n_total > 700
    assert told.describe().startswith(f"{n_total} tokens, all kept")
    cut, told = pack.bridge_prompts.encode(our_clip, PROMPTS[4], is_cut=True)
    assert cut[0][0].shape[1] == 512
    assert f"the last {n_total - 512} were cut off" in told.describe()
    torch.testing.assert_close(cut[0][0], kept[0][0][:, :512])  # causal: what was cut changes nothing before it


def test_no_prompt_is_longer_than_the_published_positions_and_what_is_cut_is_told(pack, our_clip):
    """1536 positions hold a caption that pads to 1504 tokens, and the picture's after it."""
    kept, told = pack.bridge_prompts.encode(our_clip, "fox " * 3000, is_cut=False)
    assert kept[0][0].shape[1] == 1504
    assert "more than 1504" in told.describe() and "cut off" in told.describe()


def test_what_is_cut_is_said_on_the_node_and_nothing_else_is(pack, our_clip):
    node = pack.groups[1].ZImageTextEncode
    assert "cut off" in node.execute(our_clip, "fox " * 600, "cut at 512 tokens").ui["text"][0]
    assert node.execute(our_clip, "fox", "cut at 512 tokens").ui is None


def test_encoding_stops_between_layers_when_the_user_cancels(comfy, pack, our_clip):
    """ComfyUI's layers ask at every call."""
    from comfy import model_management

    layers, ran = our_clip.cond_stage_model.qwen3_4b.transformer.model.layers, []

    def cancel(*_):
        ran.append(1)
        model_management.interrupt_current_processing()

    hooks = [layer.register_forward_hook(cancel) for layer in layers]
    try:
        with pytest.raises(model_management.InterruptProcessingException):
            our_clip.encode_from_tokens(our_clip.tokenize("a fox"))
    finally:
        model_management.interrupt_current_processing(False)
        [hook.remove() for hook in hooks]
    assert ran == [1] and len(layers) == 2


def test_earlier_layers_can_be_asked_for_as_with_the_stock_clip(our_clip, native_clip):
    for layer in (-2, -3):
        clips = our_clip.clone(), native_clip.clone()
        for clip in clips:
            clip.clip_layer(layer)
        found, expected = (clip.encode_from_tokens(clip.tokenize("a fox")) for clip in clips)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_layer_left_on_disk_is_refused_with_a_sentence(our_clip):
    clip = our_clip.clone()
    clip.clip_layer(-1)
    with pytest.raises(ValueError, match="keeps 2 of its 3 layers"):
        clip.encode_from_tokens(clip.tokenize("a fox"))


def test_comfyuis_own_generation_writes_the_same_tokens_on_our_clip_and_leaves_it_as_it_was(our_clip, native_clip):
    before = sorted(our_clip.cond_stage_model.state_dict())
    for settings in ({"do_sample": False}, {"do_sample": False, "repetition_penalty": 1.0, "top_k": 5}):
        tokens = native_clip.tokenize("a red fox")
        expected = native_clip.generate(tokens, max_length=24, seed=1, **settings)
        assert our_clip.generate(our_clip.tokenize("a red fox"), max_length=24, seed=1, **settings) == expected
    drawn = [our_clip.generate(tokens, max_length=8, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(our_clip.cond_stage_model.state_dict()) == before


def test_a_clip_of_which_only_a_part_is_loaded_writes_the_same_tokens(comfy, our_clip):
    """ComfyUI then casts each layer as it runs, and changes its weight there."""
    from comfy.model_patcher import wipe_lowvram_weight

    key = "qwen3_4b.transformer.model.layers.0.mlp.up_proj.weight"
    clip = our_clip.clone()
    plain = clip.generate(clip.tokenize("a red fox"), do_sample=False, max_length=12)
    change = torch.randn(CONFIG.ffn_dim, CONFIG.dim, generator=torch.Generator().manual_seed(5))
    clip.patcher.add_patches({key: (change,)}, 0.5)
    tokens, texts = clip.tokenize("a red fox"), []
    for lowvram in (1, 0):
        clip.patcher.unpatch_model(clip.patcher.offload_device)
        for module in clip.cond_stage_model.modules():
            wipe_lowvram_weight(module)
        clip.patcher.load(torch.device("cpu"), lowvram_model_memory=lowvram, full_load=not lowvram)
        layer = clip.cond_stage_model.get_submodule(key.removesuffix(".weight"))
        assert len(layer.weight_function) == lowvram
        texts.append(clip.cond_stage_model.generate(tokens, do_sample=False, max_length=12))
    clip.patcher.unpatch_model(clip.patcher.offload_device)
    assert texts[0] == texts[1] != plain


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_file_in_16_bits_writes_too_and_the_built_in_one(pack, state, tmp_path, dtype):
    file = tmp_path / "qwen_3_4b.safetensors"
    save_file({key: tensor.to(dtype) for key, tensor in state.items()}, file)
    for path in (file, file_of(TEXT_ENCODER)):
        clip = pack.bridge_text.load_text_encoder(str(path), None)
        assert len(clip.generate(clip.tokenize("a fox"), max_length=4, repetition_penalty=0.0, top_p=0.0, seed=1)) <= 4


def test_either_clip_answers_a_question_with_the_same_words(pack, our_clip, native_clip):
    language = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.language")
    core = importlib.import_module(f"{pack.entry.__name__}.zimage_core.language")
    asked = importlib.import_module(f"{pack.entry.__name__}.zimage_core.language.back_end")
    question = asked.Question(
        prompt="a fox", instruction="Be brief.", budgets=core.Budgets(thought=0, answer=12), sampling=core.GREEDY
    )
    ours, stock = (asked.ask(language.back_end_of(clip), question) for clip in (our_clip, native_clip))
    assert ours == stock and ours.answer
    with pytest.raises(ValueError, match="cannot write text"):
        asked.ask(language.StockClip(NoWriter(native_clip)), question)


def test_writing_stops_within_a_token_when_the_user_cancels(comfy, pack, our_clip, monkeypatch):
    language = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.language")
    asked = importlib.import_module(f"{pack.entry.__name__}.zimage_core.language.back_end")
    model_management = importlib.import_module("comfy.model_management")
    pieces = language.back_end_of(our_clip).write(asked.Question(prompt="a fox"))
    next(pieces)
    model_management.interrupt_current_processing()
    with pytest.raises(model_management.InterruptProcessingException):
        next(pieces)


def test_when_a_text_is_written_nothing_of_it_stays_in_memory(pack, our_clip):
    """What only writing needs, its keys and values, goes with the back end; ComfyUI's own node keeps nothing at all."""
    language = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.language")
    asked = importlib.import_module(f"{pack.entry.__name__}.zimage_core.language.back_end")
    our_clip.load_model()
    with Counter() as counter:
        our_clip.generate(our_clip.tokenize("a fox"), do_sample=False, max_length=4)
        gc.collect()
        assert counter.live.now == 0 < counter.live.peak
        back_end = language.back_end_of(our_clip)
        next(back_end.write(asked.Question(prompt="a fox")))
        del back_end
        gc.collect()
        assert counter.live.now == 0


class NoWriter:
    """A CLIP of an encoder that reads only."""

    def __init__(self, clip):
        self.cond_stage_model, self.tokenizer, self.tokenize = object(), clip.tokenizer, clip.tokenize

    def generate(self, *_, **__):
        raise AttributeError("no generate")


def test_another_encoder_is_refused_by_name(pack):
    class Clip:
        def tokenize(self, text):
            return {"l": [[(1, 1.0)]], "t5xxl": [[(1, 1.0)]]}

    with pytest.raises(ValueError, match=r"This CLIP is l \+ t5xxl, but Z-Image reads prompts with Qwen3-4B"):
        pack.bridge_prompts.encode(Clip(), "a fox", is_cut=False)
    with pytest.raises(ValueError, match="No text encoder"):
        pack.bridge_prompts.encode(None, "a fox", is_cut=False)


def test_the_built_in_encoder_tokenizes_as_the_core_does(pack):
    from zimage_core.text import load_tokenizer, tokenize

    clip = pack.bridge_text.load_text_encoder(str(file_of(TEXT_ENCODER)), FOLDER / TOKENIZER)
    core = load_tokenizer(FOLDER / TOKENIZER)
    for prompt in ("a large red heart in the middle on a white background", "", "白色背景上有一个红色圆形"):
        ids = [token for token, _ in clip.tokenize(prompt)["qwen3_4b"][0]]
        assert tuple(ids) == tokenize(core, prompt, None).ids


def test_rows_of_a_table_left_behind_are_what_comfyuis_layer_gives(pack, comfy):
    table, ids = pack.bridge_embedding_table, torch.tensor([[3, 0, 7]])
    for dtype in (torch.bfloat16, torch.float32):
        layer = comfy.ops.manual_cast.Embedding(9, 4, dtype=dtype).requires_grad_(False)
        layer.weight.normal_(generator=torch.Generator().manual_seed(0))
        assert table.is_plain(layer)
        expected = layer(ids, out_dtype=torch.float32)
        assert torch.equal(table.lookup(layer.weight, ids, torch.float32), expected)
        assert torch.equal(table.EmbeddingTable(layer)(ids, out_dtype=torch.float32), expected)


def test_a_table_that_is_patched_packed_cast_or_still_on_disk_is_left_to_comfyui(pack, comfy):
    def table():
        return comfy.ops.manual_cast.Embedding(9, 4, dtype=torch.float32).requires_grad_(False)

    patched, waiting, cast, on_disk = table(), table(), table(), table().to("meta")
    patched.weight_function = [lambda weight: 2 * weight]
    waiting.weight_lowvram_function = lambda weight: 2 * weight
    cast.weight_comfy_model_dtype = torch.bfloat16
    for layer in (patched, waiting, cast, on_disk):
        assert not pack.bridge_embedding_table.is_plain(layer)
    patched.weight.data.fill_(1)
    assert pack.bridge_embedding_table.EmbeddingTable(patched)(
        torch.tensor([[1]]), out_dtype=torch.float32
    ).tolist() == [[[2, 2, 2, 2]]]
