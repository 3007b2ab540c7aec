"""What language models put around an answer though told not to: greetings, labels, fences, quotation marks."""

import json
import re
from collections.abc import Callable

from ..text.protected import quoted_texts

NOUN = (
    r"(?:final |enhanced |improved |expanded |rewritten |refined |optimi[sz]ed |finished |negative |edit(?:ing)? "
    r"|short |detailed |requested )*"
)
WHAT = rf"{NOUN}(?:image |picture )?(?:prompt|version|description|instruction|caption|tag|request)s?"
CHINESE_WHAT = (
    "(?:\u6700\u7ec8|\u4f18\u5316|\u6539\u5199|\u589e\u5f3a|\u6269\u5199|\u8d1f\u9762|\u8d1f\u5411|\u7f16\u8f91|\u540e|\u7684)*"
    "(?:\u63d0\u793a\u8bcd|\u6307\u4ee4|\u63cf\u8ff0|\u8bf4\u660e|\u6807\u7b7e|\u8bf7\u6c42)"
)
LEADS = [  # before the answer
    re.compile(
        rf"\A(?:(?:sure|certainly|of course|okay|ok)[,.!]?\s*)?here(?:'s|\u2019s| is| are)[^:\n]*?{WHAT}[^:\n]*:", re.I
    ),
    re.compile(r"\A(?:sure|certainly|of course|okay|ok)[!.]?\s*\n", re.I),
    re.compile(rf"\A#+\s*{WHAT}\s*:?\s*\n", re.I),
    re.compile(rf"\A(?:\*\*|__)?{WHAT}(?:\*\*|__)?\s*:\s*(?:\*\*|__)?", re.I),
    re.compile(
        rf"\A(?:\u597d\u7684[\uff0c,\u3002!\uff01]?\s*)?(?:\u4ee5\u4e0b|\u8fd9)\u662f[^\uff1a:\n]*?{CHINESE_WHAT}[^\uff1a:\n]*[\uff1a:]"
    ),
    re.compile(rf"\A(?:\*\*)?{CHINESE_WHAT}[\uff1a:]\s*(?:\*\*)?"),
]
TAIL = re.compile(  # a last paragraph that is about the answer
    r"\n\s*(?:note:|let me know|i hope|feel free|\(?word count|\(\d+ words?\)"
    r"|[\uff08(]?\u5b57\u6570|[\uff08(]?\u6ce8[\uff1a:]).*\Z",
    re.I | re.S,
)
FENCE = re.compile(r"\A(?P<before>[^\n]*\n)?\s*```[\w-]*\n(?P<inside>.*?)\n```\s*\Z", re.S)
PAIRS = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u300c": "\u300d", "`": "`", "**": "**"}
MOST_SLIPS = 8  # in one answer; each is taken off once


def without_slips(answer: str, request: str) -> str:
    """The answer itself. What the request says in the same way, a whole quoted text for example, stays."""
    text = answer.strip()
    for _ in range(MOST_SLIPS):
        shorter = next((found for take in TAKES if (found := take(text, request)) != text), text)
        if shorter == text:
            break
        text = shorter
    return text


def _fence(text: str, request: str) -> str:
    found = FENCE.match(text)
    return found["inside"].strip() if found else text


def _lead(text: str, request: str) -> str:
    for lead in LEADS:
        found = lead.match(text)
        if found and not lead.match(request.strip()) and text[found.end() :].strip():
            return text[found.end() :].strip()
    return text


def _tail(text: str, request: str) -> str:
    return TAIL.sub("", text).strip()


def _object(text: str, request: str) -> str:
    """JSON with one text in it."""
    if not text.startswith("{"):
        return text
    try:
        values = list(json.loads(text).values())
    except (ValueError, RecursionError):
        return text
    return values[0].strip() if len(values) == 1 and isinstance(values[0], str) and values[0].strip() else text


def _marks(text: str, request: str) -> str:
    """A pair of marks around the whole; not two texts that begin and end it, nor lettering that was asked for."""
    for opening, closing in PAIRS.items():
        inside = text[len(opening) : -len(closing)]
        if not (text.startswith(opening) and text.endswith(closing) and inside.strip()):
            continue
        if inside in (each[1:-1] for each in quoted_texts(request)) or request.strip().startswith(opening):
            return text
        return inside.strip() if _is_around(inside, opening, closing) else text
    return text


def _is_around(inside: str, opening: str, closing: str) -> bool:
    """Whether the outer marks belong together: the first mark inside opens, instead of closing the outer one."""
    if opening != closing:
        return closing not in inside or inside.find(opening) in range(inside.find(closing))
    at = inside.find(opening)
    if opening == "'":
        return at < 0 or not re.search(r"(?:^|\s)'|'(?=\s|$|[,.])", inside)
    return (
        at < 0
        or at == 0
        or inside[at - 1] in " \t\n(:\u3001\uff0c\u3002\uff1a"
        or "\u4e00" <= inside[at - 1] <= "\u9fff"
    )


TAKES: tuple[Callable[[str, str], str], ...] = (_fence, _tail, _object, _lead, _marks)
