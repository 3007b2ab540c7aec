"""The words an artist reads: one for each thing, in both languages, and none of those who write such programs."""

import ast
import json
import re

import pytest

from paths import REPOSITORY

# What an artist's word replaces: never in names, tooltips, settings, messages, reports and help pages.
FORBIDDEN = {
    "en": {
        r"solvers?": "sampler",
        r"evaluations?": "model calls",
        r"cfg_\w+": "CFG start, CFG end, CFG normalization",
        r"mend(s|ed|ing)?": "fix",
        r"anew": "again, regenerated",
        r"cards?": "GPU",
        r"processors?": "CPU",
        r"main memory": "RAM",
        r"remember(s|ed|ing)?": "prompt cache",
        r"computations?": "method",
        r"recorded|recording|records a": "CUDA graphs",
    },
    "zh": {
        "求解器": "采样器",
        "网络运行": "模型调用",
        "运行网络": "调用模型",
        "记住": "提示词缓存",
        "计算方式": "方法",
        "录制|录下": "CUDA 图",
        "cfg(?![_a-z`])": "CFG",
        "偏移 `shift`": "移位，与 ComfyUI 的采样算法节点一致",
    },
}
ALLOWED = re.compile(r"`[^`]*`|\([^()\s]*\)|https?://\S+")  # ids in code marks, links and the files they name


def strings_of(value):
    if isinstance(value, str):
        return [value]
    return [each for inner in value.values() for each in strings_of(inner)]


def locales(language):
    files = sorted((REPOSITORY / "locales" / language).glob("*.json"))
    return [(file.name, text) for file in files for text in strings_of(json.loads(file.read_text("utf-8")))]


def messages(language):
    """The browser part's texts, of one language."""
    source = (REPOSITORY / "js/zimage/page/messages.mjs").read_text("utf-8")
    english, _, chinese = source.partition("\n  zh: {")
    part = {"en": english.partition("\n  en: {")[2], "zh": chinese.partition("\n};")[0]}[language]
    settings = (REPOSITORY / "js/zimage/page/settings.mjs").read_text("utf-8").partition("SETTINGS = [")[2]
    runs = REPOSITORY / "js/zimage/runs"
    tables = "".join(
        (runs / f"{each}.mjs").read_text("utf-8") for each in ("errors", "model_words", "report_sentences")
    )
    errors = re.findall(r'^  \["([^"]+)",\s*"([^"]+)"', tables, re.MULTILINE)
    assert len(errors) > 200
    texts = re.findall(r'"([^"]+)"', part + (settings if language == "en" else ""))
    return [("js", text) for text in (*texts, *(pair[language == "zh"] for pair in errors))]


def help_pages(language):
    return [(file.parent.name, file.read_text("utf-8")) for file in (REPOSITORY / "js/docs").glob(f"*/{language}.md")]


def sentences_in_python(_):
    """String literals of the nodes that are sentences: no docstrings, no ids."""
    for file in sorted((REPOSITORY / "nodes").rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in alone and " " in str(node.value):
                yield file.name, str(node.value)


def in_every_place(language):
    sources = (locales, messages, help_pages, *((sentences_in_python,) if language == "en" else ()))
    return [found for source in sources for found in source(language)]


@pytest.mark.parametrize("language", FORBIDDEN)
def test_no_word_of_a_programmer_stands_where_an_artist_reads(language):
    places = in_every_place(language)
    assert len(places) > 300
    edge = r"\b" if language == "en" else ""
    found = [
        f"{place}: {match[0]!r} should be {better!r} in {text[max(0, match.start() - 40) : match.end() + 40]!r}"
        for place, text in ((place, ALLOWED.sub("", text)) for place, text in places)
        for word, better in FORBIDDEN[language].items()
        for match in re.finditer(f"{edge}({word}){edge}", text, re.IGNORECASE if language == "en" else 0)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", FORBIDDEN)
def test_labels_are_words_and_no_identifiers(language):
    nodes = json.loads((REPOSITORY / f"locales/{language}/nodeDefs.json").read_text("utf-8"))
    labels = [each["name"] for node in nodes.values() for part in ("inputs", "outputs") for each in node[part].values()]
    assert [label for label in labels if "_" in label] == []


def test_one_input_has_one_name_on_all_nodes_in_each_language():
    """Strength is two things: how much a LoRA or ControlNet acts, and how far a sampler moves from a picture."""
    for language in FORBIDDEN:
        nodes = json.loads((REPOSITORY / f"locales/{language}/nodeDefs.json").read_text("utf-8"))
        names = {}
        for node in nodes.values():
            for widget, text in node["inputs"].items():
                names.setdefault(widget, set()).add(text["name"])
        several = {widget: found for widget, found in names.items() if len(found) > 1}
        assert set(several) <= {"strength", "prompt", "image", "images", "pictures"}, several
