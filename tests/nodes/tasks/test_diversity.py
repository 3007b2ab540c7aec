"""Z-Image Diversity on prompts encoded by nano's CLIP: plain CONDITIONING, neutral at 0, protected words bit-equal; and
drawn with a stock sampler and ours on ComfyUI's MODEL, an attached one and ours."""

import importlib

import pytest
import torch

import native_pictures

PROMPT = 'a sign "OPEN" beside a red heart, and a star'


@pytest.fixture(scope="module")
def clip(pack):
    path = pack.bridge_files.path_of(pack.core_networks.TEXT_ENCODER, pack.bridge_files.BUILT_IN)
    return pack.bridge_text.load_text_encoder(path, None)


@pytest.fixture(scope="module")
def diverse(pack):
    """Our node's call, with its defaults."""
    node = importlib.import_module("zimage_pack.nodes.diversity").ZImageDiversity
    defaults = {each.id: each.default for each in node.define_schema().inputs[1:]}
    return lambda conditioning, **inputs: node.execute(conditioning=conditioning, **{**defaults, **inputs})


def test_strength_0_is_the_conditioning_itself_and_else_the_pieces_cover_the_run(pack, clip, diverse):
    [[embeddings, values]] = conditioning = pack.bridge_prompts.encode(clip, PROMPT, is_cut=False)[0]
    assert diverse(conditioning, strength=0.0).result[0] is conditioning
    first, last = diverse(conditioning, seed=3).result[0]
    assert (first[1]["start_percent"], last[1]["end_percent"]) == (0.0, 1.0)
    assert first[1]["end_percent"] == last[1]["start_percent"] == pytest.approx(0.25, abs=1e-3)
    assert last[0] is embeddings and not torch.equal(first[0], embeddings)
    assert values.keys() <= first[1].keys()


@pytest.mark.parametrize("is_stock", [False, True])
def test_quoted_and_protected_words_keep_every_bit_and_others_do_not(pack, clip, diverse, is_stock):
    conditioning = pack.bridge_prompts.encode(clip, PROMPT, is_cut=False)[0]
    [[embeddings, values]] = conditioning
    node = diverse(conditioning, strength=1.0, share=1.0, protect="heart, moon")
    changed = (node.result[0][0][0] != embeddings).any(-1)[0]
    told = dict(zip(values[pack.bridge_prompts.TOKEN_TEXTS].texts, changed.tolist(), strict=True))
    assert not told["Ġheart"] and told["Ġstar"] and told["Ġred"]
    assert int((~changed).sum()) >= 3  # the word, and what stands in quotation marks with them
    assert node.ui["text"] == ["Protected words that do not stand in the prompt: 'moon'."]
    if is_stock:  # without the tokens of our encode node
        plain = [[embeddings, {"pooled_output": None}]]
        assert len(diverse(plain).result[0]) == 2
        with pytest.raises(ValueError, match=r"^This conditioning does not tell which words it holds"):
            diverse(plain, protect="heart")


@pytest.mark.parametrize("kind", ["native", "attached", "ours"])
def test_every_sampler_reads_the_noised_prompt_first_and_the_plain_one_after(pack, native, diverse, kind, tmp_path):
    stock = native.model()
    models = {
        "native": lambda: stock,
        "attached": lambda: pack.bridge_attach.attach(stock),
        "ours": lambda: native.ours(pack, tmp_path),
    }
    model, plain = models[kind](), native.conditioning(17, 1)
    seen = []

    def watch(apply_model, call):
        seen.append((round(float(call["timestep"][0]), 3), call["c"]["c_crossattn"].clone()))
        return apply_model(call["input"], call["timestep"], **call["c"])

    clone = model.clone()
    clone.set_model_unet_function_wrapper(watch)
    noised = diverse(plain, strength=1.0, end_percent=0.5).result[0]
    sampled = {
        "stock": lambda: native_pictures.draw(native, clone, steps=4, positive=noised),
        "ours": lambda: pack.groups[3].ZImageTurboSampler.execute(
            clone, noised, {"samples": torch.zeros(1, 16, 8, 8)}, 3, 4, "euler", 3.0, 1.0
        ),
    }
    for draw in sampled.values():
        seen.clear()
        draw()
        isplain = [torch.equal(caption[:, :17].float(), plain[0][0]) for _, caption in seen]
        assert isplain == [False, False, True, True]


def test_the_settings_are_in_the_entry_of_the_picture_where_they_act():
    metadata = importlib.import_module("zimage_pack.nodes.bridge.page.metadata")
    encode = {"class_type": "ZImageTextEncode", "inputs": {"prompt": "a heart", "clip": ["9", 0]}}
    settings = {"strength": 0.5, "start_percent": 0.0, "end_percent": 0.25, "share": 0.5, "seed": 4}
    words = {"protect": "heart", "protect_quoted": True}

    def entry(strength):
        node = {"conditioning": ["1", 0], **settings, **words, "strength": strength}
        prompt = {
            "1": encode,
            "2": {"class_type": "ZImageDiversity", "inputs": node},
            "3": {"class_type": "ZImageTurboSampler", "inputs": {"positive": ["2", 0], "seed": 7}},
        }
        return metadata.last_sampler(prompt, "3")

    assert entry(0.5)["diversity"] == {**settings, **words}
    assert entry(0.5)["prompt"] == "a heart" and "diversity" not in entry(0.0)
