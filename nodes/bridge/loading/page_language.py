"""Words that are drawn into pictures, in the language of the page that queued the running prompt."""

from collections.abc import Mapping
from typing import Any

from ....zimage_core.grid import IN_CHINESE, chinese_font
from .language_server.settings import settings_of
from .language_server.user import running_user
from .prompt_notes import note_requests, running_note

LOCALE = "Comfy.Locale"  # of the page's settings; there only once a person has chosen a language
NOTE = "zimage_browser_language"  # in a prompt's extra data; what ComfyUI's page takes until then


def watch_languages(server: Any) -> None:
    """Note from now on the first language of the browser that queues a prompt, as "zh-CN"."""
    note_requests(server, NOTE, first_language)


def first_language(request: Any) -> str:
    """Of a request's header, in which browsers list languages by preference: "zh-CN,zh;q=0.9"."""
    return request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip()


def words_drawn(chinese: Mapping[str, str], *texts: str) -> Mapping[str, str]:
    """`chinese`, words by their English, where the page is Chinese and this machine has a font for them; else nothing.

    Where no language was chosen, the browser's counts; for a prompt that no browser queued, `texts` tell, which stand
    in the same picture.
    """
    locale = str(settings_of(running_user()).get(LOCALE) or "") or running_note(NOTE)
    is_chinese = locale.startswith("zh") if locale else any(IN_CHINESE.search(text) for text in texts)
    return chinese if is_chinese and chinese_font() else {}
