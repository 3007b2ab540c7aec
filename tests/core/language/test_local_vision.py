"""A vision-language model in a folder, as transformers saves one: a tiny LLaVA with random weights."""

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from zimage_core.language import GREEDY, Budgets, Sampling
from zimage_core.language.back_end import Question, ask
from zimage_core.language.local_vision import VisionFolder, is_vision_folder
from zimage_core.nano.files import FOLDER, TOKENIZER

TEMPLATE = (
    "{% for each in messages %}{{ each.role }}: {% for part in each.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %};{% endfor %}"
)
SIDE, PATCH = 16, 8


def save_tiny_llava(folder):
    torch.manual_seed(0)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(FOLDER / TOKENIZER / "tokenizer.json"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"], "pad_token": "<image>"})
    tower = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
    )
    words = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    config = transformers.LlavaConfig(
        vision_config=tower, text_config=words, image_token_index=tokenizer.convert_tokens_to_ids("<image>")
    )
    model = transformers.LlavaForConditionalGeneration(config).eval()
    for weight in model.parameters():
        weight.data.mul_(8)  # so that what is seen decides the words
    size = {"height": SIDE, "width": SIDE}
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size)
    processor = transformers.LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor


@pytest.mark.slow
def test_a_folder_answers_as_its_model_does_sees_the_picture_and_leaves_the_random_state(tmp_path):
    model, processor = save_tiny_llava(tmp_path)
    assert is_vision_folder(tmp_path) and not is_vision_folder(tmp_path.parent)
    back_end, budgets = VisionFolder(tmp_path), Budgets(thought=0, answer=12)
    pictures = [
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
        for seed in (0, 1)
    ]

    def answer(picture, sampling=GREEDY, seed=0):
        question = Question(
            prompt="a red", instruction="say", pictures=(picture,), budgets=budgets, sampling=sampling, seed=seed
        )
        return ask(back_end, question).answer

    read = processor(images=pictures[0], text="system: say;user: <image>a red;", return_tensors="pt")
    ids = model.generate(**read, max_new_tokens=12, do_sample=False)[0, read["input_ids"].shape[1] :]
    assert answer(pictures[0]) == processor.decode(ids, skip_special_tokens=True).strip() != ""
    assert answer(pictures[0]) != answer(pictures[1])
    before = torch.get_rng_state()
    drawn = [answer(pictures[0], Sampling(temperature=2.0), seed) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2] and torch.equal(torch.get_rng_state(), before)


def test_a_folder_of_something_else_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ValueError, match="is no vision-language model that transformers can load") as told:
        ask(VisionFolder(tmp_path), Question(prompt="a fox"))
    assert "\n" not in str(told.value)
