"""What a LoRA file's metadata tells of it: trigger words and the release they were trained for."""

import json

import pytest

from zimage_core.checkpoints import trained_for, trigger_words


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, ()),
        ({"modelspec.trigger_phrase": "pxl style, 8-bit"}, ("pxl style", "8-bit")),
        ({"ssmd_keywords": '["a", "b", "a"]'}, ("a", "b")),
        ({"ss_tag_frequency": json.dumps({"10_cat": {"cat": 3, " sky": 9}, "5_dog": {"cat": 8}})}, ("cat", "sky")),
        ({"ss_tag_frequency": "{}", "ss_output_name": "x"}, ()),
        ({"ss_tag_frequency": "not JSON"}, ()),
        ({"ss_tag_frequency": '{"a": {"b": "many"}, "c": 4}'}, ()),
        ({"ss_tag_frequency": json.dumps({"a": {"caption " * 20: 9, "word": 1}})}, ("word",)),
    ],
)
def test_trigger_words_are_those_the_file_names_or_the_most_frequent_tags(metadata, words):
    assert trigger_words(metadata) == words


AI_TOOLKIT = {  # what jobs/process/BaseSDTrainProcess.py of ostris/ai-toolkit writes, for every release of Z-Image
    "training_info": '{"step": 2000, "epoch": 12}',
    "ss_base_model_version": "zimage",
    "ss_output_name": "ohwx",
    "ss_tag_frequency": '{"1_ohwx": {"ohwx": 1}}',
    "name": "ohwx",
    "software": '{"name": "ai-toolkit", "url": "https://github.com/ostris/ai-toolkit"}',
}
MUSUBI = {"ss_base_model_version": "z_image", "ss_sd_model_name": "z_image_turbo_bf16.safetensors"}  # of musubi-tuner


def test_the_two_trainers_most_used_are_read_as_they_write():
    assert (trigger_words(AI_TOOLKIT), trained_for(AI_TOOLKIT)) == (("ohwx",), None)
    assert (trigger_words(MUSUBI), trained_for(MUSUBI)) == ((), "Turbo")


@pytest.mark.parametrize(
    ("metadata", "release"),
    [
        ({}, None),
        ({"ss_base_model_version": "zimage:turbo"}, "Turbo"),
        ({"ss_base_model_version": "zimage", "ss_sd_model_name": "z_image_turbo_bf16.safetensors"}, "Turbo"),
        ({"ss_base_model_version": "zimage"}, None),
        ({"ss_sd_model_name": "z_image_bf16.safetensors"}, "base"),
        ({"ss_sd_model_name": "Z-Image-De-Turbo.safetensors"}, None),
    ],
)
def test_the_release_is_told_only_where_the_metadata_tells_it(metadata, release):
    assert trained_for(metadata) == release
