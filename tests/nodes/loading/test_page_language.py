"""In which language words are drawn into pictures."""

import importlib
import json

import pytest
from queued_prompts import queued, running

CHINESE = {"worst": "最差"}
BROWSER = "zh-CN,zh;q=0.9,en;q=0.8"


@pytest.fixture
def page(pack, tmp_path, monkeypatch):
    """The language of pages, on a machine with a Chinese font, of a server with one user."""
    import folder_paths

    page = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.page_language")
    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path))
    monkeypatch.setattr(page, "chinese_font", lambda: "a font")
    (tmp_path / "default").mkdir()
    return page


@pytest.mark.parametrize(
    ("chosen", "browser", "text", "is_chinese"),
    [
        (None, BROWSER, "a fox", True),
        (None, "en-GB,en;q=0.9,zh;q=0.5", "一只狐狸", False),
        ("en", BROWSER, "一只狐狸", False),
        ("zh-TW", "en-GB", "a fox", True),
        (None, None, "一只狐狸", True),  # a script, which has no browser
        (None, None, "a fox", False),
    ],
)
def test_the_chosen_language_counts_then_the_browsers_then_what_stands_there(
    page, tmp_path, monkeypatch, chosen, browser, text, is_chinese
):
    settings = {} if chosen is None else {"Comfy.Locale": chosen}
    (tmp_path / "default/comfy.settings.json").write_text(json.dumps(settings))
    [noted] = queued(page.watch_languages, [{"Accept-Language": browser} if browser else {}], {"client_id": "1"})
    assert noted["client_id"] == "1"
    running(monkeypatch, noted)
    assert page.words_drawn(CHINESE, text) == (CHINESE if is_chinese else {})


def test_without_a_running_prompt_the_text_counts(page, monkeypatch):
    running(monkeypatch, None)
    assert page.words_drawn(CHINESE, "一只狐狸") == CHINESE
