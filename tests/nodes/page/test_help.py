"""The help pages beside the nodes they are about: nothing left out, both languages alike, every picture a real one."""

import asyncio
import json
import re

import pytest
from PIL import Image

from paths import REPOSITORY
from tools.pictures.draw_help import STRIPS
from zimage_core.checkpoints import DIT, inspect
from zimage_core.nano.files import file_of

DOCS = REPOSITORY / "js" / "docs"
LANGUAGES = ("en", "zh")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
MOST_BYTES, MOST_BYTES_IN_ALL = 30_000, 700_000
MOST_TABLE = 90  # characters of a row
MOST_CHOICES = 5  # longer dropdowns are ratios
MOST_WORDS, MOST_CHINESE_LETTERS = 60, 100

# Words of those who write such programs; an artist has others for the same, or no need of them.
JARGON = re.compile(
    r"\b(tensors?|dtypes?|latent space|embeddings?|state dicts?|logits|kwargs|forward pass|backends?|hyper-?parameters?"
    r"|matrix|matrices|null|boolean|float|int|enum|regex|tuples?|instantiates?|initiali[sz]es?|utili[sz]es?|eps)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def schemas(pack):
    extension = asyncio.run(pack.entry.comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    return {schema.node_id: schema for schema in (node.define_schema() for node in nodes)}


def page(node_id, language):
    return (DOCS / node_id / f"{language}.md").read_text("utf-8")


def pages():
    return [(folder.name, language) for folder in sorted(DOCS.iterdir()) for language in LANGUAGES]


def files():
    return sorted(DOCS.rglob("*.webp"))


def in_chinese():
    return json.loads((REPOSITORY / "locales/zh/nodeDefs.json").read_text("utf-8"))


def choices(widget):
    """What a dropdown offers, where that is neither the user's files nor a long row of ratios."""
    offered = getattr(widget, "options", None) or []
    are_files = any(each == "none" or each.startswith("nano (built in)") or "." in each for each in offered)
    return [] if are_files or len(offered) > MOST_CHOICES else offered


def entries(text):
    """The lists' entries that begin with a name, by which inputs and outputs are told of."""
    return [line for line in text.splitlines() if re.match(r"- \*\*[^`*]+\*\*( `|:|：|,|、|（| \()", line)]


def left_out(schema, text):
    """Names that no entry of a list begins with, and choices that are not told of anywhere."""
    rows = "\n".join(entries(text))
    names = [each.id for each in schema.inputs] + [each.display_name for each in schema.outputs]
    values = [str(choice) for each in schema.inputs for choice in choices(each)]
    missing = [name for name in names if f"`{name}`" not in rows and f"**{name}**" not in rows]
    return missing + [value for value in values if value not in " ".join(text.split())]


def test_no_table_is_wider_than_the_panel_and_good_values_stand_in_the_entry():
    """The panel is narrow by default: a table of sentences hides its last column, where good values stood."""
    for node_id, language in pages():
        for line in page(node_id, language).splitlines():
            assert not (line.startswith("|") and len(line) > MOST_TABLE), f"{node_id}/{language}: {line}"


def test_every_input_output_and_choice_is_named_on_both_pages(schemas):
    missing = {
        (node_id, language): left_out(schema, page(node_id, language))
        for node_id, schema in schemas.items()
        for language in LANGUAGES
    }
    assert not {place: names for place, names in missing.items() if names}


def test_no_page_is_about_a_node_that_is_gone(schemas):
    assert {folder.name for folder in DOCS.iterdir()} == set(schemas)


def test_chinese_pages_call_inputs_and_outputs_what_the_canvas_calls_them():
    for node_id, node in in_chinese().items():
        names = [each["name"] for each in (*node["inputs"].values(), *node["outputs"].values())]
        assert [name for name in names if name not in page(node_id, "zh")] == [], node_id
        assert node["display_name"] in page(node_id, "zh")


def outline(text):
    """Entries, rows of each table and pictures under each heading, in order: what two translations share."""
    sections = re.split(r"^## .*$", text, flags=re.MULTILINE)
    return [
        (
            len(entries(each)),
            [line.count(" | ") for line in each.splitlines() if line.startswith("|")],
            len(PICTURE.findall(each)),
        )
        for each in sections
    ]


def test_both_languages_have_the_same_sections_tables_and_pictures(schemas):
    for node_id in schemas:
        english, chinese = (page(node_id, language) for language in LANGUAGES)
        assert outline(english) == outline(chinese), node_id
        assert [link for _, link in PICTURE.findall(english)] == [link for _, link in PICTURE.findall(chinese)]


@pytest.mark.parametrize(("node_id", "language"), pages())
def test_linked_pictures_lie_where_the_page_looks_for_them(node_id, language):
    """ComfyUI's page puts `/extensions/<pack>/docs/` before a picture's path, for every node and language alike."""
    for words, link in PICTURE.findall(page(node_id, language)):
        assert link.startswith(f"{node_id}/"), link
        assert (DOCS / link).is_file(), link
        assert words, "a picture that does not load, or is not seen, needs words"
        assert not set(words) & set("\"'<>"), "the page puts the words into HTML as they are"


def test_every_picture_is_on_its_page_and_named_after_an_input(schemas):
    for file in files():
        assert f"({file.relative_to(DOCS).as_posix()})" in page(file.parent.name, "en")
        assert file.stem in {each.id for each in schemas[file.parent.name].inputs}, file


def test_every_picture_can_be_drawn_again():
    assert {file.relative_to(DOCS).with_suffix("").as_posix() for file in files()} == set(STRIPS)


def test_pictures_are_small_and_open():
    sizes = [file.stat().st_size for file in files()]
    assert max(sizes) < MOST_BYTES
    assert sum(sizes) < MOST_BYTES_IN_ALL
    for file in files():
        with Image.open(file) as picture:
            picture.load()
            assert picture.width <= 1000, file
            assert len(picture.convert("L").getcolors()) > 16, f"{file} shows nothing"


def test_the_example_of_a_report_is_what_the_file_gets(tmp_path):
    file = tmp_path / "my_download.safetensors"
    file.write_bytes((file_of(DIT)).read_bytes()[:3_000_000])
    for language in LANGUAGES:
        assert f"```text\n{inspect(file).describe()}\n```" in page("ZImageInspectFile", language)


def tooltips(schema):
    return [schema.description, *(each.tooltip for each in (*schema.inputs, *schema.outputs))]


def test_tooltips_are_short_and_in_plain_words(schemas):
    for node_id, schema in schemas.items():
        for words in tooltips(schema):
            assert len(words.split()) <= MOST_WORDS, f"{node_id}: {words}"
            assert not JARGON.search(words), f"{node_id}: {JARGON.search(words)[0]!r} in {words}"


def test_chinese_tooltips_are_there_short_and_chinese():
    for node_id, node in in_chinese().items():
        for each in (*node["inputs"].values(), *node["outputs"].values()):
            letters = len(re.findall("[\u4e00-\u9fff]", each["tooltip"]))
            assert 0 < letters <= MOST_CHINESE_LETTERS, f"{node_id}: {each['tooltip']}"
            assert each["tooltip"].endswith("。"), f"{node_id}: {each['tooltip']}"
