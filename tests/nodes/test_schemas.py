"""What an artist reads on the canvas: every node complete, every default good."""

import asyncio
import json
import re

import pytest

from paths import REPOSITORY

IDS = {
    "ZImageModelLoader",
    "ZImageTextEncoderLoader",
    "ZImageVAELoader",
    "ZImageTextEncode",
    "ZImageWeightedEncode",
    "ZImagePrompt",
    "ZImageCaption",
    "ZImageCaptionFolder",
    "ZImageProfileFolder",
    "ZImageFindDuplicates",
    "ZImageSearchPictures",
    "ZImageCurate",
    "ZImageConceptMap",
    "ZImageEnhancePrompt",
    "ZImageEmptyLatent",
    "ZImageTurboSampler",
    "ZImageSampler",
    "ZImageSigmas",
    "ZImageDiversity",
    "ZImageDoctor",
    "ZImageScore",
    "ZImageArena",
    "ZImageEvaluate",
    "ZImageDataset",
    "ZImageEditDataset",
    "ZImageTrainLora",
    "ZImageTrain",
    "ZImageDistill",
    "ZImagePreference",
    "ZImagePrefer",
    "ZImageMerge",
    "ZImageMergeSearch",
    "ZImagePickBest",
    "ZImagePickBestTry",
    "ZImageCompareModels",
    "ZImageCompareModelsSheet",
    "ZImageDrawnPicture",
    "ZImageLoraTest",
    "ZImageLoraTestSheet",
    "ZImageDrawnSigmas",
    "ZImageVAEEncode",
    "ZImageVAEDecode",
    "ZImageSaveImage",
    "ZImageAttach",
    "ZImageLoraLoader",
    "ZImageLoraList",
    "ZImageStyleReference",
    "ZImageStepCache",
    "ZImageNAG",
    "ZImageOptimize",
    "ZImageConvertLora",
    "ZImageGrid",
    "ZImageGridSheet",
    "ZImageInspectFile",
    "ZImageRegion",
    "ZImageStitch",
    "ZImageDetail",
    "ZImageLargePicture",
    "ZImageTiledRefine",
    "ZImageOutpaint",
    "ZImageInpaint",
    "ZImageImageToImage",
    "ZImageEditEncode",
    "ZImageVisionLoader",
    "ZImageControlNetLoader",
    "ZImageControl",
}


@pytest.fixture(scope="module")
def nodes(pack):
    extension = asyncio.run(pack.entry.comfy_entrypoint())
    return asyncio.run(extension.get_node_list())


@pytest.fixture(scope="module")
def schemas(nodes):
    return {schema.node_id: schema for schema in (node.define_schema() for node in nodes)}


def test_the_promised_nodes_are_there(schemas):
    assert schemas.keys() >= IDS


def test_every_node_says_what_it_is_and_is_found_by_other_names(schemas):
    for schema in schemas.values():
        assert schema.display_name.startswith("Z-Image ")
        assert schema.category.startswith("Z-Image/")
        assert schema.description.endswith(".")
        assert schema.search_aliases


def test_every_input_and_output_has_a_tooltip_of_whole_sentences(schemas):
    for schema in schemas.values():
        for socket in [*schema.inputs, *schema.outputs]:
            assert socket.tooltip and socket.tooltip.endswith("."), f"{schema.node_id}.{socket.id}"


def test_at_most_six_widgets_are_visible(schemas):
    for schema in schemas.values():
        inputs = [each for each in schema.inputs if not getattr(each, "force_input", False)]  # sockets
        widgets = [each for each in inputs if hasattr(each, "default") and not each.advanced]
        assert len(widgets) <= 6, schema.node_id


def test_defaults_are_those_of_the_official_templates(schemas):
    def defaults(node_id):
        return {each.id: each.default for each in schemas[node_id].inputs if hasattr(each, "default")}

    turbo, base, latent = (defaults(f"ZImage{name}") for name in ("TurboSampler", "Sampler", "EmptyLatent"))
    assert (turbo["steps"], turbo["shift"], turbo["strength"]) == (8, 3.0, 1.0)
    assert (base["steps"], base["cfg"], base["shift"]) == (28, 4.0, 6.0)
    assert (latent["ratio"], latent["megapixels"], latent["batch_size"]) == ("1:1", 1.0, 1)


def translations(language):
    return json.loads((REPOSITORY / "locales" / language / "nodeDefs.json").read_text("utf-8"))


def test_english_texts_are_the_schemas_word_for_word(schemas):
    for node_id, schema in schemas.items():
        english = translations("en")[node_id]
        assert (english["display_name"], english["description"]) == (schema.display_name, schema.description), node_id
        assert {name: text["tooltip"] for name, text in english["inputs"].items()} == {
            each.id: each.tooltip for each in schema.inputs
        }
        assert [text["tooltip"] for text in english["outputs"].values()] == [each.tooltip for each in schema.outputs]


def test_languages_have_the_same_keys_and_chinese_is_chinese():
    def keys(value, path=""):
        if isinstance(value, str):
            return {path}
        return set().union(*(keys(inner, f"{path}/{name}") for name, inner in value.items()))

    english, chinese = translations("en"), translations("zh")
    assert keys(english) == keys(chinese)
    assert all(re.search("[\u4e00-\u9fff]", node["description"]) for node in chinese.values())


def test_every_node_has_a_help_page_in_both_languages(schemas):
    for node_id in schemas:
        for language in ("en", "zh"):
            page = REPOSITORY / "js" / "docs" / node_id / f"{language}.md"
            assert page.read_text("utf-8").startswith("# "), page


def test_no_old_style_mapping_hides_the_nodes(pack):
    assert not hasattr(pack.entry, "NODE_CLASS_MAPPINGS")


def test_node_ids_stand_literally_in_the_source_where_scanners_look(pack, schemas):
    source = "\n".join(file.read_text("utf-8") for file in (REPOSITORY / "nodes").glob("*.py"))
    assert set(re.findall(r'node_id="(\w+)"', source)) == set(schemas)


def test_dropdowns_end_with_the_built_in_model(schemas):
    for name in ("ModelLoader", "TextEncoderLoader", "VAELoader"):
        assert schemas[f"ZImage{name}"].inputs[0].options[-1] == "nano (built in)"


@pytest.mark.parametrize(
    ("ratio", "megapixels", "size"),
    [
        ((1, 1), 1.0, (1024, 1024)),
        ((1, 1), 0.004, (64, 64)),
        ((16, 9), 1.0, (1360, 768)),
        ((9, 16), 1.0, (768, 1360)),
        ((2, 3), 1.0, (832, 1248)),
        ((9, 21), 0.004, (48, 96)),
    ],
)
def test_sizes_are_multiples_of_16_nearest_to_ratio_and_area(pack, ratio, megapixels, size):
    assert pack.bridge_latents.size_from_ratio(ratio, megapixels) == size


def test_all_ratios_keep_shape_and_area_within_a_patch(pack):
    for ratio in pack.groups[2].RATIOS.values():
        width, height = pack.bridge_latents.size_from_ratio(ratio, 1.0)
        assert width % 16 == height % 16 == 0
        assert abs(width * height / 1024**2 - 1) < 0.03
        assert abs(width / height / (ratio[0] / ratio[1]) - 1) < 0.03
