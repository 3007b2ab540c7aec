"""Words that are drawn into pictures, in the language of the page that queued the running prompt."""

from collections.abc import Mapping

from ....zimage_core.grid import IN_CHINESE, chinese_font
from .language_server.settings import settings_of
from .language_server.user import running_user

LOCALE = "Comfy.Locale"  # of the page's settings; there only once a person has chosen a language


def words_drawn(chinese: Mapping[str, str], *texts: str) -> Mapping[str, str]:
    """`chinese`, words by their English, where the page is Chinese and this machine has a font for them; else nothing.

    Where no language was chosen, `texts` tell, which stand in the same picture.
    """
    locale = str(settings_of(running_user()).get(LOCALE) or "")
    is_chinese = locale.startswith("zh") if locale else any(IN_CHINESE.search(text) for text in texts)
    return chinese if is_chinese and chinese_font() else {}
