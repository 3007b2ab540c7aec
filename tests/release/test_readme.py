"""The page people meet first, and the forms they write to us in."""

import json
import re
from urllib.parse import unquote

import pytest
import yaml

from paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text("utf-8")
FORMS = REPOSITORY / ".github/ISSUE_TEMPLATE"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(str(each.relative_to(REPOSITORY)) for each in REPOSITORY.glob("docs/*.md")),
]


def test_one_sentence_and_a_picture_come_first():
    sentence, picture, *_ = (line for line in README.splitlines()[1:] if line.strip())
    assert sentence.endswith(".") and len(sentence) < 140
    assert picture.startswith("![")


def test_the_evidence_named_in_the_table_of_tasks_is_there():
    table = README.partition("## What you can do here")[2].partition("\n\n![")[0]
    named = re.findall(r"`(tests/[^`]+)`", table)
    assert len(named) >= 8
    assert [each for each in named if not (REPOSITORY / each).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_everything_a_page_links_to_in_the_repository_is_there(page):
    text = (REPOSITORY / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert ((REPOSITORY / page).parent / unquote(target)).exists(), target


def test_every_node_has_its_line_in_the_table():
    names = json.loads((REPOSITORY / "locales/en/nodeDefs.json").read_text("utf-8")).values()
    missing = [each["display_name"] for each in names if each["display_name"].removeprefix("Z-Image ") not in README]
    assert missing == []


def test_every_model_file_a_workflow_asks_for_has_its_link_and_folder():
    """The table names those of text to image; help pages name the rest."""
    graph = json.loads((REPOSITORY / "workflows/Z-Image Turbo - text to image.json").read_text("utf-8"))
    models = [model for node in graph["nodes"] for model in node["properties"].get("models", [])]
    assert len(models) == 3
    for model in models:
        (line,) = (line for line in README.splitlines() if f"[{model['name']}]" in line)
        assert model["url"] in line and f"models/{model['directory']}" in line


def test_chinese_readers_get_their_part():
    assert len(re.findall("[\u4e00-\u9fff]", README)) > 200


@pytest.mark.parametrize("form", ["problem", "wish"])
def test_a_form_asks_the_same_in_both_languages(form):
    english, chinese = (yaml.safe_load((FORMS / f"{form}{ending}.yml").read_text("utf-8")) for ending in ("", "_zh"))

    def asked(form):
        return [(each["id"], each["type"], each.get("validations")) for each in form["body"]]

    assert asked(english) == asked(chinese)
    assert english["labels"] == chinese["labels"]
    assert re.search("[\u4e00-\u9fff]", chinese["name"]) and not re.search("[\u4e00-\u9fff]", english["name"])


def test_the_messages_it_explains_are_messages_the_pack_has():
    """Between its dots, each quoted message stands in the source, word for word."""
    source = "".join(
        re.sub(r'"\s*\n\s*f?"', "", file.read_text("utf-8"))  # literals continued on the next line
        for folder in ("nodes", "zimage_core")
        for file in (REPOSITORY / folder).rglob("*.py")
    )
    rows = README.partition("## When something is wrong")[2].partition("\n## ")[0].splitlines()
    quoted = [
        message for row in rows if row.startswith("| *") for message in re.findall(r"\*(.+?)\*", row.split("|")[1])
    ]
    assert len(quoted) >= 4
    for message in quoted:
        for words in filter(None, (part.strip(" ,") for part in message.split("…"))):
            assert words in source, words


def test_every_picture_of_the_help_pages_is_shown_in_the_repository_once():
    shown = re.findall(r"\]\(\.\./js/docs/([^)]+)", (REPOSITORY / "docs/pictures.md").read_text("utf-8"))
    help_pages = REPOSITORY / "js/docs"
    assert sorted(shown) == sorted(each.relative_to(help_pages).as_posix() for each in help_pages.rglob("*.webp"))
